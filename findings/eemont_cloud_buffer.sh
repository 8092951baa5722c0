#!/usr/bin/env bash
# eemont 2025.7.1: maskClouds(buffer=250) widens clouds by 30 metres, and loses those narrower than 40
#
# One would expect: `buffer` is, as its documentation says, the distance in metres by which clouds and shadows are
# dilated: 250 keeps training samples a quarter of a kilometre away from the next cloud.
# What happens: the expression sent to Earth Engine first erodes clouds by 20 metres and then dilates what is left by
# a fifth of `buffer`: 250 gives 50 - 20 = 30 metres, the documented example's 300 gives 40, and 100 gives nothing. A
# cloud less than 40 metres wide disappears before it could be dilated.
# Whom it hurts: whoever samples or composites Sentinel-2 through eemont and trusts the buffer: haze and cloud edges
# stay in, and no number says so.
# The way around: ask for buffer = 5 * (metres + 20), or dilate the mask with `focal_max` oneself.
#
# The client's own test case stands in for the service: only the expression is looked at, nothing is sent.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    eemont==2025.7.1 ee-extra==2025.7.2 earthengine-api==1.7.50 numpy==2.4.6 pandas==2.3.3 'setuptools==80.9.0'
cat > show.py <<'PY'
import json
import unittest
from importlib.metadata import version
from unittest import mock

import ee
from ee import apitestcase

IMAGE = "COPERNICUS/S2_SR_HARMONIZED/20230709T095601_20230709T095558_T33UWS"


def calls(node):
    """All function calls in an expression, however deep."""
    if isinstance(node, dict):
        if "functionInvocationValue" in node:
            yield node["functionInvocationValue"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from calls(part)


def radii(image):
    """Function, radius and unit of each erosion and dilation in an image's expression."""
    values = json.loads(image.serialize())["values"]

    def plain(argument):
        return values[argument["valueReference"]]["constantValue"] if "valueReference" in argument else argument["constantValue"]

    found = [(call["functionName"], call["arguments"]) for call in calls(values) if "focal" in call["functionName"]]
    return [(name, plain(arguments["radius"]), plain(arguments["units"])) for name, arguments in found]


class Buffer(apitestcase.ApiTestCase):
    def runTest(self):
        import eemont  # noqa: F401  (adds maskClouds to ee.Image)

        print("eemont", version("eemont"), "ee-extra", version("ee_extra"))
        for buffer, dilated in ((250, 50), (300, 60), (100, 20)):
            with mock.patch.object(ee.ComputedObject, "getInfo", return_value=IMAGE):
                masked = ee.Image(IMAGE).maskClouds(method="cloud_prob", buffer=buffer, scaledImage=True)
            seen = radii(masked)
            print(f"buffer={buffer}: {seen}")
            steps = [("Image.focal_max", dilated, "meters"), ("Image.focal_min", 20, "meters")]  # the outer one is last
            assert seen == steps, "behaviour changed"
            print(f"  a wide cloud grows by {dilated - 20} m, one narrower than 40 m is gone")


unittest.main(argv=["show"])
PY
venv/bin/python show.py
