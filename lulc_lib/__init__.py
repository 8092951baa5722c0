"""Open-pit mines on Sentinel-2: a reproducible study of U-Net against Earth Engine classifiers."""

__version__ = "0.1.0"
