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


NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_key_is_shown(path):
    """In texts and tables; refusals speak of arguments, and files keep their names."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            for text in (output.get("text", ""), *(output.get("data", {}).get(kind, "") for kind in
                                                   ("text/plain", "text/html"))):
                assert not keys_in(text), (cell.source, keys_in(text))


def keys_in(text):
    """Names with an underscore that are no file's, scene's or argument's, and mappings as written.

    >>> keys_in("crops_ripe, in map_20230709.tif of site_20230709 <td class='data_row'>{'a': 1}")
    ['crops_ripe', "{'"]
    """
    text = re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]+>", " ", text, flags=re.DOTALL)
    text = re.sub(r"^InputError: .*$", "", text, flags=re.MULTILINE)
    return [word for word in re.findall(r"[\w./:-]*[a-z0-9]_[a-z0-9][\w./:-]*|\{'", text)
            if not re.search(r"[/.]\w|_\d{8}", word)]
