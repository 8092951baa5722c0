"""Class maps of Earth Engine: on an interactive geemap map, as an array, and as a GeoTIFF."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ee
import geemap
import geopandas as gpd
import ipyleaflet
import numpy as np
import rasterio
import xarray as xr
from anywidget import AnyWidget
from geemap import map_widgets
from rasterio.windows import Window
from shapely.geometry import Point

from lulc_lib import legend
from lulc_lib.data.catalogue import Site
from lulc_lib.data.geotiff import class_map_writer
from lulc_lib.data.scenes import pixel_centres
from lulc_lib.earth_engine.assets import CORINE
from lulc_lib.earth_engine.backend import Backend
from lulc_lib.earth_engine.errors import explained, status_of
from lulc_lib.earth_engine.workflow import MAPPED
from lulc_lib.errors import InputError

CLASS_STYLE = {"min": legend.CODES[0], "max": legend.CODES[-1],
               "palette": [c.removeprefix("#") for c in legend.COLOURS.values()]}
"""How a band of legend codes is drawn."""

SCENE_STYLE = {"bands": ["B8", "B4", "B3"], "min": 0, "max": [5000, 2800, 2800], "gamma": 2.0}
"""Near infrared, red and green of digital numbers, stretched like the study's figures."""

SIGNS = {
    "&#xe5cd;": "×", "&#xf507;": "–", "&#xf830;": "+",  # buttons: close, fold, unfold
    "indeterminate_check_box": "▾", "add_box": "▸", "remove": "▾", "add": "▸",
    "inventory_2": "", "folder_open": "", "folder": "", "draft": "",
}
"""What stands in geemap's font to what is drawn instead."""

ICON = re.compile(r"(material-symbols-outlined\"\s*>\s*)(" + "|".join(map(re.escape, SIGNS))
                  + r")(\s*</span)")
"""An icon by its name in the text of a widget."""


def pixels(backend: Backend, image: ee.Image, site: Site) -> xr.DataArray:
    """Fetch the bands of an image on the site's grid, in one request.

    Returns
    -------
    DataArray, shape (band, y, x)
        In the image's dtype, with CRS; 0 where Earth Engine's image is masked.
    """
    a, b, c, d, e, f = site.transform
    affine = {"scaleX": a, "shearX": b, "translateX": c, "shearY": d, "scaleY": e, "translateY": f}
    grid = {"crsCode": f"EPSG:{site.epsg}", "affineTransform": affine,
            "dimensions": {"width": site.cols, "height": site.rows}}
    with explained(backend.title):
        table = ee.data.computePixels(
            {"expression": image, "fileFormat": "NUMPY_NDARRAY", "grid": grid})
    transform, names = rasterio.Affine(*site.transform), list(table.dtype.names)
    values = np.stack([table[name] for name in names])
    out = xr.DataArray(values, dims=("band", "y", "x"),
                       coords={"band": names, **pixel_centres(transform, values.shape[1:])})
    return out.rio.write_crs(site.epsg).rio.write_transform(transform)


def download(backend: Backend, class_map: ee.Image, site: Site) -> xr.DataArray:
    """Fetch a class map, (y, x) uint8 legend codes with CRS: NO_DATA where it is masked."""
    codes = pixels(backend, class_map, site).sel(band=MAPPED, drop=True)
    return codes.copy(data=legend.check_codes(codes.values, "Earth Engine's map"))


def export(class_map: xr.DataArray, path: Path, tags: Mapping[str, str]) -> None:
    """Write a class map, (y, x) uint8 legend codes, as a GeoTIFF with colour table and QGIS style.

    ``tags`` are the file's metadata, such as the classifier and the scene.
    """
    shape, transform = class_map.shape, class_map.rio.transform()
    with class_map_writer(path, shape, class_map.rio.crs, transform, tags) as out:
        out.write(class_map.values[None], Window(0, 0, shape[1], shape[0]))
        out.finish()
        out.publish()


def corine(backend: Backend) -> ee.Image | None:
    """Return CORINE Land Cover in the legend's classes; None if the catalogue has it not.

    A CORINE class that may be several of ours is drawn as the first of them.
    """
    walk = legend.corine_crosswalk()
    image = ee.Image(CORINE)
    try:
        backend.compute(image.bandNames())
    except InputError as error:
        if status_of(error) != 404 and "not found" not in str(error):
            raise
        return None
    return image.select([0]).remap(list(walk), [codes[0] for codes in walk.values()])


def interactive_map(backend: Backend, layers: Mapping[str, tuple[ee.Image, Mapping[str, Any]]],
                    site: Site, split: tuple[str, str] | None = None) -> geemap.Map:
    """Draw images on a geemap map with the legend, an inspector and two layers left and right.

    There is no background map and no toolbar, whose tiles and icons would come from the internet.

    Parameters
    ----------
    layers : mapping of str to (ee.Image, mapping)
        Name to image and its style (:data:`CLASS_STYLE`, :data:`SCENE_STYLE`), from the bottom to
        the top.
    site : Site
        Where to look.
    split : (str, str)
        Names of the layers left and right of the divider.
    """
    lost = [name for name in split or () if name not in layers]
    if lost:
        raise InputError(f"split names {lost[0]!r}; the layers are {', '.join(layers)}")
    view = geemap.Map(
        center=_middle(site), zoom=14, height="600px", ee_initialize=False, toolbar_ctrl=False,
        search_ctrl=False, draw_ctrl=False, measure_ctrl=False,
        basemap=ipyleaflet.TileLayer(url="", name="no background"))
    with explained(backend.title):
        for name, (image, style) in layers.items():
            view.add_layer(image, dict(style), name)
    if split:
        left, right = (view.ee_layers[name]["ee_layer"] for name in split)
        view.split_map(left, right, left_label=split[0], right_label=split[1])
    colours = {legend.NAMES[code]: legend.COLOURS[code] for code in legend.CODES}
    with _without_font(map_widgets.Legend, map_widgets.Inspector):
        view.add_legend(title="Class", position="bottomleft", legend_dict=colours)
        view.add_inspector(opened=False)
    return view


def _middle(site: Site) -> tuple[float, float]:
    """Return latitude and longitude of a site's middle."""
    west, south, east, north = site.bounds
    middle = gpd.GeoSeries([Point((west + east) / 2, (south + north) / 2)], crs=site.epsg)
    (point,) = middle.to_crs(4326)
    return point.y, point.x


@contextmanager
def _without_font(*kinds: type[AnyWidget]) -> Iterator[None]:
    """Let geemap's widgets made inside the block draw their icons as characters.

    geemap writes them as names in a font from Google's servers; without it the names themselves are
    drawn, one over the other. A browser keeps the first text of a widget that it meets, so this
    cannot be done afterwards.
    """
    texts = {kind: kind._esm for kind in kinds}
    try:
        for kind, text in texts.items():
            plain, count = ICON.subn(lambda m: m[1] + SIGNS[m[2]] + m[3], str(text))
            if not count:
                raise InputError(f"geemap's {kind.__name__} has no icons that are known; install "
                                 "the geemap of requirements.txt")
            kind._esm = plain.replace('icon="point_scan"', 'icon=""')
        yield
    finally:
        for kind, text in texts.items():
            kind._esm = text
