"""Confusion matrices, metrics and their uncertainty. Imports no torch, rasterio or ee."""
