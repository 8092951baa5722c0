#!/usr/bin/env bash
# geemap 0.37.2: a random forest moved to Earth Engine renames classes in every tree that never saw one of them
#
# One would expect: `geemap.ml.rf_to_strings` writes a scikit-learn forest as text for Earth Engine, each leaf with
# the class code that the same leaf has in scikit-learn.
# What happens: the codes are looked up tree by tree, by the position among the classes *that this tree predicts
# somewhere*. A tree whose bootstrap sample missed a rare class has one class fewer, and all classes after the gap
# move down by one: its 30 is written as 20, its 20 as 15. Nothing is said.
# Whom it hurts: whoever trains on Sentinel-2 samples locally and maps in Earth Engine, with a class of few samples:
# the map and the accuracy measured locally belong to two different forests.
# The way around: train on class positions 0..k-1, then check that every tree's leaves agree (as below), or write each
# tree with `ml.tree_to_string(..., labels=None)`, which keeps the positions, and remap the classified image.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    geemap==0.37.2 earthengine-api==1.7.50 scikit-learn==1.9.1 numpy==2.4.6 pandas==2.3.3
cat > show.py <<'PY'
import re
from importlib.metadata import version

import numpy as np
from geemap import ml
from sklearn.ensemble import RandomForestClassifier


def leaves(text):
    """Class code of every leaf in a tree's text (the lines that end in a star)."""
    return {int(m) for m in re.findall(r"(\d+) \*$", text, flags=re.M)}


if __name__ == "__main__":
    print("geemap", version("geemap"), "scikit-learn", version("scikit-learn"))
    rng = np.random.default_rng(0)
    x = rng.random((120, 3))  # three bands
    y = np.where(x[:, 0] < 0.33, 10, np.where(x[:, 0] < 0.66, 20, 30))
    x[:2] = [[0.9, 0.9, 0.99], [0.9, 0.91, 0.98]]
    y[:2] = 15  # a rare class: two samples of 120
    forest = RandomForestClassifier(30, random_state=0).fit(x, y)
    texts = ml.rf_to_strings(forest, ["B2", "B3", "B4"], output_mode="CLASSIFICATION")
    wrong = []
    for number, (tree, text) in enumerate(zip(forest.estimators_, texts)):
        inner = tree.tree_.children_left >= 0
        positions = tree.tree_.value.squeeze().argmax(-1)[~inner]
        true = {int(forest.classes_[p]) for p in positions}
        if true != leaves(text):
            wrong.append(number)
            print(f"tree {number}: scikit-learn's leaves {sorted(true)}, written {sorted(leaves(text))}")
    print(f"{len(wrong)} of {len(texts)} trees have other classes than in scikit-learn")
    assert wrong, "behaviour changed: every tree keeps its classes"
    for number in wrong:
        assert leaves(texts[number]) == {10, 15, 20}, "behaviour changed"
    # The way around: positions, not codes.
    for tree in forest.estimators_:
        text = ml.tree_to_string(tree, ["B2", "B3", "B4"], labels=None, output_mode="CLASSIFICATION")
        inner = tree.tree_.children_left >= 0
        assert leaves(text) == {int(p) for p in tree.tree_.value.squeeze().argmax(-1)[~inner]}
    print("with labels=None every tree keeps its positions")
PY
venv/bin/python show.py
