"""Room 03, the classifiers of Google Earth Engine: the study's workflow in ee and geemap code.

Who answers the client is chosen by :func:`open_backend`: Google, or the local Earth Engine.
"""

from lulc_lib.lazy import attach

_MODULES = {
    "open_backend": "backend",       # the client made ready for Google or the local Earth Engine
    "start_local": "assets",         # the local Earth Engine on the study's scenes
    "COLLECTION": "assets",          # asset id of the scenes
    "EE_BANDS": "assets",            # the study's ten bands under Earth Engine's names
    "Points": "points",              # points for training and for test
    "draw_points": "points",         # a few pixels of each reference polygon
    "proportional": "points",        # numbers of points in given proportions
    "to_earth_engine": "points",     # points as an Earth Engine table
    "CLASS": "points",               # property that holds a point's legend code
    "CLASSIFIERS": "workflow",       # CART, random forest, SVM
    "MAPPED": "workflow",            # band and property that hold the mapped class
    "least_cloudy": "workflow",      # the scene of a site and a time
    "describe_scene": "workflow",    # its name, date and clouds
    "sample": "workflow",            # the bands under points
    "train": "workflow",             # one classifier on sampled points
    "class_map": "workflow",         # a scene classified
    "run_draw": "workflow",          # all three classifiers on one draw of points
    "CLASS_STYLE": "maps",           # how legend codes are drawn
    "SCENE_STYLE": "maps",           # how a scene is drawn
    "pixels": "maps",                # an image as an array
    "download": "maps",              # a class map as an array
    "export": "maps",                # a class map as a GeoTIFF
    "corine": "maps",                # CORINE Land Cover in the legend's classes
    "interactive_map": "maps",       # layers, legend and inspector
    "send_forest": "forests",        # a scikit-learn forest as an Earth Engine classifier
    "tree_texts": "forests",         # its trees as geemap writes them, unchecked
}
"""Public name to module, imported when first used: the local server needs no client."""

__getattr__, __all__ = attach(__name__, _MODULES)
