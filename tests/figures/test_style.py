"""The pieces of figures: keys list what occurs, titles fit, errors stand out from the ground."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lulc_lib import legend
from lulc_lib.figures import accuracy, style, unet
from tests.sites.test_objects import grid_map
from tests.study.test_legend import ciede2000, lab

FOREST, WATER, QUARRY = (legend.code(key) for key in ("mixed_forest", "water", "quarry"))


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def two_classes():
    codes = np.full((40, 40), FOREST, np.uint8)
    codes[:20] = WATER
    return grid_map(codes)


def names_in_keys(fig):
    return {t.get_text() for ax in fig.axes for child in (ax, *ax.child_axes)
            if child.get_legend() for t in child.get_legend().get_texts()}


def test_a_key_lists_the_classes_that_were_drawn():
    fig, (ax, key) = plt.subplots(1, 2)
    style.show_classes(ax, two_classes())
    style.class_key(key)
    assert names_in_keys(fig) == {legend.NAMES[FOREST], legend.NAMES[WATER]}


def test_wrong_pixels_alone_bring_their_class_into_the_key():
    reference = two_classes()
    wrong = reference.copy()
    wrong[3:6, 3:6] = QUARRY
    scene = reference.expand_dims(band=["B08"]) * 0.02
    fig = unet.errors(scene, {"map": wrong}, reference, "t", "c")
    assert names_in_keys(fig) == {legend.NAMES[QUARRY], "map and reference agree"}


@pytest.mark.parametrize("colours", [("white", accuracy.RIGHT, accuracy.WRONG),
                                     ("#f5f5f5", unet.AGREES, legend.COLOURS[QUARRY])])
def test_right_wrong_and_ground_are_far_apart(colours):
    """20 is many times what is just noticeable; right was 7 from the ground before."""
    rgb = np.array([to_rgb(c) for c in colours])
    seen = lab(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4))
    assert ciede2000(seen[:, None], seen[None])[np.triu_indices(3, 1)].min() > 20


def test_each_pixel_of_one_class_is_marked():
    codes = two_classes()
    codes[5, 5] = codes[30, 30] = QUARRY
    fig = accuracy.map_and_one_class(two_classes(), ("map", codes), QUARRY, "t", "c")
    (marks,) = [ax for ax in fig.axes if "enlarged" in ax.get_title(loc="left")]
    assert len(marks.lines[0].get_xdata()) == 2
    assert marks.get_title(loc="left").startswith("2 pixels")


def test_a_long_title_and_caption_stay_inside_the_picture():
    fig, _ = plt.subplots(figsize=(6, 3), layout="constrained")
    style.titled(fig, "A title of many words " * 8, "A caption of many words " * 12)
    fig.canvas.draw()
    for text in (fig._suptitle, fig._supxlabel):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= fig.bbox.x1, text.get_text()


@pytest.mark.parametrize("place", ["left", "right", "outside"])
def test_a_scale_bar_is_as_long_as_it_says(place):
    ax = plt.figure().subplots()
    style.show_classes(ax, two_classes())  # 400 m wide
    style.scale_bar(ax, 100, place=place)
    assert {"100 m", "N"} == {t.get_text() for t in ax.texts}
    assert any(np.isclose(p.get_width(), 0.1) for p in ax.patches if hasattr(p, "get_width"))
    left, right = ax.get_xlim()
    inside = all(left <= p.get_x() and p.get_x() + p.get_width() <= right
                 for p in ax.patches if hasattr(p, "get_width"))
    assert inside == (place != "outside")
