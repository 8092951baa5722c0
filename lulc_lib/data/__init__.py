"""Room 01, data: the published dataset, and scenes, references and maps of any place."""

from lulc_lib.lazy import attach

_MODULES = {
    "SITES": "catalogue",         # site name to its grid
    "Site": "catalogue",          # one site and its pixel grid
    "find_site": "catalogue",     # a site by name
    "published_files": "catalogue",# every file of the dataset
    "select": "catalogue",        # files by role, kind, site and date
    "training_pairs": "catalogue",# training scenes with their labels
    "fetch": "download",          # download and verify
    "file_states": "download",    # present, can be downloaded, unavailable, damaged
    "require": "download",        # an error unless all is present
    "Source": "source",           # the data of a run
    "resolve_source": "source",   # published data, or what takes its place
    "fetch_scene": "stac",        # a scene of any day from a public catalogue
    "BANDS": "bands",            # the ten bands, in the network's order
    "BANDS_10M": "bands",        # those recorded at 10 m
    "WAVELENGTHS": "bands",      # of the bands, nanometres
    "Scene": "scenes",            # a scene read in parts
    "open_scene": "scenes",       # one in any form that Sentinel-2 comes in
    "read_scene": "scenes",       # a whole scene as reflectance
    "valid_mask": "scenes",       # where all bands hold data
    "filled": "scenes",           # a scene with its gaps closed
    "pixel_centres": "scenes",    # coordinates of a grid
    "to_reflectance": "radiometry",# DN to reflectance
    "scene_offset": "radiometry", # the DN to subtract
    "read_polygons": "reference", # polygons with legend codes
    "read_codes": "reference",    # a raster of legend codes
    "rasterise": "reference",     # polygons to codes on a grid
    "rasterise_ids": "reference", # polygons to their numbers on a grid
    "on_grid": "reference",       # values on another array's grid
    "open_reference": "pairs",    # raster or vector reference of a map of any size
    "reference_beside": "pairs",  # the reference that lies beside a map
    "count_pairs": "pairs",       # pairs of map and reference codes, block by block
    "count_strata": "sample_file",# pixels of each class of a map of any size
    "draw_points": "sample_file", # the pixels that were drawn, as points
    "write_sample": "sample_file",# points, strata and design in a GeoPackage, a QGIS form
    "read_sample": "sample_file", # the same read back
    "RasterWriter": "geotiff",    # a Cloud-Optimised GeoTIFF written in parts
    "class_map_writer": "geotiff",# the same with the legend's colours
    "Series": "series",           # scenes and labels by date
    "training_series": "series",  # those of a site
    "scene_path": "series",       # a site's test scene
    "polygons_path": "series",    # its reference polygons
    "raster_path": "series",      # its released reference raster
    "map_path": "series",         # its published class map
    "map_date": "series",         # the date of that map
    "table_path": "series",       # its published confusion matrix
    "site_polygons": "series",    # its reference polygons, read
    "all_labels": "series",       # all labels and references at hand
    "footprints": "series",       # the sites' outlines in degrees
    "site_views": "series",       # one scene or label raster a site
    "series_spectra": "signatures",# quartiles per date, class and band
    "dark_percentiles": "signatures",# low reflectance of every band and date
    "label_coverage": "signatures",# labelled pixels per class
    "changing_field": "places",   # a field growing, bare, growing
    "nearest_region": "places",   # the region nearest to another
    "window": "places",           # a box around regions
    "cut": "places",              # an array inside a box
    "seen_in_training": "places", # how training saw each reference pixel
    "NEVER": "places",            # values of seen_in_training
    "OTHER_CLASS": "places",
    "SAME_CLASS": "places",
}
"""Public name to module. Each is imported when first used: a list of files needs no GIS."""

__getattr__, __all__ = attach(__name__, _MODULES)
