"""Room 07, sites: class maps of several dates and a folder of registries to candidate sites.

The path of a map: ``read_maps`` → ``track_sites`` (objects of each date, followed through the
dates) → ``assess_sites`` → ``write_sites``. The path of a folder of registries: ``read_registries``
(which calls ``layer_file`` for the rows as they are and ``layers`` for what services call their
fields, and makes tables of one form) → ``assess_sites`` (which calls ``gather_facts`` for numbers
and turns them into status, category, score and reasons) → ``write_sites`` and ``write_web_map``.
``fetch_registries`` fills such a folder from ``services``.
"""

from lulc_lib.lazy import attach

_MODULES = {
    "Settings": "settings",              # every number the rules rest on
    "read_maps": "maps",                 # class maps by date, on one grid
    "read_probability": "maps",          # quarry probability of one date, on a map's grid
    "read_outside": "maps",              # what lies outside the area of applicability
    "map_dates": "maps",                 # acquisition dates of files
    "pixel_area": "maps",                # square metres
    "find_objects": "objects",           # quarry objects of one map
    "Tracks": "tracking",                # sites, and what was seen of them on each date
    "track_sites": "tracking",           # objects of all dates to sites
    "with_applicability": "tracking",    # share of each site outside the area of applicability
    "Registries": "registries",          # the layers of a folder, and which are missing
    "read_registries": "registries",     # a folder of registry layers around a map
    "SERVICES": "services",              # where layers can be fetched, and on what terms
    "fetch_registries": "fetch",         # layers of an area from their services to a folder
    "require_layers": "fetch",           # an error for layers that could not be fetched
    "assess_sites": "rules",             # status, category, score and reasons of each site
    "corine_names": "rules",             # what CORINE's codes mean
    "CATEGORIES": "rules",               # what a site can be
    "STATUSES": "rules",                 # licensed, candidate, undetermined, other
    "CANDIDATE": "rules",                # the status of a lead
    "UNDETERMINED": "rules",             # the status where a layer is missing or the map unsure
    "NOT_APPLICABLE": "rules",           # a category: outside the maps' area of applicability
    "ABANDONED": "rules",                # a category
    "RECLAIMED": "rules",                # a category
    "SEPARATOR": "rules",                # between reasons
    "ANY_CANDIDATE": "evaluate",         # row of all candidates in the counts
    "match_sites": "evaluate",           # reported to planted sites
    "compare_sites": "evaluate",         # counts by category
    "precision_recall": "evaluate",      # rates of counts
    "false_leads": "evaluate",           # per 100 km² of mapped land
    "expected_precision": "evaluate",    # where sites are as common as said
    "output_paths": "output",            # the files beside a GeoPackage
    "write_sites": "output",             # GeoPackage, GeoJSON, CSV and QGIS style
    "write_web_map": "web_map",          # interactive map, one HTML file
    "sheet_name": "web_map",             # file of a site's evidence sheet
    "grid_of": "coordinates",            # national grid, or the one stated
    "places": "coordinates",             # where sites lie, in words
}
"""Public name to module. Each is imported when first used: the command's help needs no GIS."""

__getattr__, __all__ = attach(__name__, _MODULES)
