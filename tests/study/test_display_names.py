"""What a reader meets in place of keys."""

import re

import nbformat
import pandas as pd
import pytest

from lulc_lib import display_names as labels
from lulc_lib import legend
from lulc_lib.accuracy import metrics, published
from lulc_lib.errors import InputError
from tests.conftest import ROOT

CLEAN = ("04", "05a", "05b")


def test_every_metric_has_its_name():
    for key, metric in metrics.METRICS.items():
        assert labels.label(key).lower().startswith(metric.name.lower()), key


def test_a_key_without_words_is_refused():
    with pytest.raises(InputError, match="'some_key' has no label"):
        labels.label("some_key")


def test_a_table_of_classes_has_their_names():
    shown = labels.labelled(published.printed_matrix(13))
    assert set(shown) <= set(legend.NAMES.values())
    assert (shown.index.name, shown.columns.name) == ("map class", "reference class")
    plain = pd.DataFrame({"users_accuracy": [0.5, 0.6]})
    assert list(labels.labelled(plain).index) == [0, 1]  # row numbers are no codes
    assert list(plain) == ["users_accuracy"]


@pytest.mark.parametrize("path", [n for n in sorted((ROOT / "notebooks").glob("0*.ipynb"))
                                  if n.name.partition("_")[0] in CLEAN], ids=lambda p: p.stem)
def test_no_key_is_shown(path):
    """In tables and printed lines; refusals speak of arguments, and data notes of files."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            text = output.get("text") or output["data"]["text/plain"]
            if "image/png" not in output.get("data", {}) and not text.startswith(
                    ("InputError: ", "published data.")):
                assert not re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b|\{'", text), text
