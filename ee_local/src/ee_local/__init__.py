"""The local Earth Engine: the unmodified ``ee`` and ``geemap`` clients, without an account.

An HTTP server on loopback that answers what the client library asks of Google's service: it
evaluates the expression graph on the scenes of the data room with numpy, rasterio and scikit-learn.
It follows the documented semantics; where it cannot be identical to Google's service, the docstring
of the function says so. What it does not implement it answers with an error that names the
function.
"""

from __future__ import annotations

from ee_local.registry import functions
from ee_local.server import LocalServer, start

__all__ = ["LocalServer", "functions", "start"]
