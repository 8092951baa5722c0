"""Open-pit mines on Sentinel-2: a reproducible study of U-Net against Earth Engine classifiers."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lulc_lib")  # the last tag, when the package was built
except PackageNotFoundError:
    __version__ = "0 (not installed)"
