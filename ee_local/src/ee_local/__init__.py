"""An offline Earth Engine: the unmodified ``ee`` and ``geemap`` clients, without an account.

An HTTP server on loopback answers what the client library asks of Google's service: it evaluates
the expression graph on GeoTIFFs with numpy, rasterio and scikit-learn. It follows the documented
semantics; where it cannot be identical to Google's service, the docstring of the function says so.
What it does not implement it answers with an error that names the function.
"""

from __future__ import annotations

from ee_local.catalogue import Catalogue
from ee_local.errors import InputError
from ee_local.folder import read_folder
from ee_local.geotiffs import class_image, raster_image, read_tags
from ee_local.grid import Projection
from ee_local.registry import functions
from ee_local.server import LocalServer, start

__all__ = [
    "Catalogue",     # images by asset id, and the collections that they form
    "InputError",    # a file, folder or setting that cannot be served
    "LocalServer",   # a running local Earth Engine
    "Projection",    # a CRS and the transform of its pixels
    "class_image",   # class codes from polygons or a raster as an image
    "functions",     # the functions of Earth Engine that are implemented
    "raster_image",  # a GeoTIFF as an image
    "read_folder",   # a folder of GeoTIFFs as a catalogue
    "read_tags",     # the tags of a GeoTIFF
    "start",         # start the local Earth Engine
]
