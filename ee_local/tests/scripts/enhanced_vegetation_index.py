"""EVI from an expression in words."""

import ee


def script(place):
    image = ee.Image(f"{place.collection}/20230601_T33UWS").divide(10000)
    return image.expression(
        "2.5 * ((NIR - RED) / (NIR + 6 * RED - 7.5 * BLUE + 1))",
        {"NIR": image.select("B8"), "RED": image.select("B4"), "BLUE": image.select("B2")},
    ).rename("EVI")


def expected(place):
    blue, red, near = (place.band("20230601", b) / 10000 for b in ("B2", "B4", "B8"))
    return {"EVI": 2.5 * (near - red) / (near + 6 * red - 7.5 * blue + 1)}
