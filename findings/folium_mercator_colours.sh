#!/usr/bin/env bash
# folium 0.20.0: a class map laid over a web map with mercator_project=True gets colours of no class
#
# One would expect: `ImageOverlay(..., mercator_project=True)` moves the rows of the picture to the places that they
# have on the Mercator map; each pixel keeps a colour of the legend.
# What happens: rows are interpolated linearly, colour by colour. Along every north-south class border come mixed
# colours that the legend lacks, transparent pixels get a tinted half-transparent seam, and class codes given as
# numbers are averaged before the colour map is applied: between classes 1 and 3 comes 2.46, coloured as class 2.
# Whom it hurts: class maps shown with folium: thin lines of a false class between two others, and a tinted rim
# around the map where nodata begins.
# The way around: warp the classes to EPSG:3857 with nearest neighbour first, colour them after, and overlay without
# mercator_project.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check folium==0.20.0 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import folium
import numpy as np
from folium.utilities import mercator_transform

print("folium", version("folium"))
legend = {1: (0, 0.4, 0, 1), 2: (1, 1, 0, 1), 3: (0, 0, 1, 1)}  # forest, crop, water
codes = np.ones((110, 110), "uint8")
codes[55:] = 3  # forest in the north, water in the south, no crop
seen = []


def colour(code):
    """The legend as folium asks for it: one number in, one colour out."""
    seen.append(float(code))
    return legend[min(legend, key=lambda k: abs(k - code))]


south, north = 47.8, 48.8  # one degree, as a Sentinel-2 tile
folium.raster_layers.ImageOverlay(codes, bounds=[[south, 15.0], [north, 16.4]], mercator_project=True, colormap=colour)
shown = np.unique(np.round(seen, 2))
print("codes in the map: [1 3], codes that reach the colour map:", shown)
picture = np.array([legend[c] for c in codes.ravel()]).reshape(110, 110, 4)
colours = np.unique(mercator_transform(picture, (south, north)).round(3).reshape(-1, 4), axis=0)
print("colours in: 2, colours out:", len(colours), colours.tolist())
rim = picture.copy()
rim[:55] = 0  # the north has no data: transparent
alpha = np.unique(mercator_transform(rim, (south, north))[..., 3].round(3))
print("opacity in: 0 and 1, opacity out:", alpha.tolist())
assert len(alpha) > 2, "behaviour changed"
assert not set(shown.tolist()) <= {1.0, 3.0}, "behaviour changed"
assert len(colours) > 2, "behaviour changed"
PY
