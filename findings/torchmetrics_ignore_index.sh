#!/usr/bin/env bash
# torchmetrics 1.9.0: the ignored class still counts, as 0, in the macro mean of all but one metric
#
# One would expect: with `ignore_index=0` (unlabelled) the macro mean runs over the other classes, for every metric.
# What happens: pixels labelled 0 are left out, but as soon as the model says 0 anywhere else, class 0 joins the
# macro mean of accuracy, recall, precision and F1 with the value 0. MulticlassJaccardIndex does leave it out.
# One such pixel of ten thousand (below) costs a map of three outputs a third of its macro accuracy.
# Whom it hurts: sparse labels (0 = not labelled) with a model that has an output for 0: macro accuracy jumps from
# one epoch to the next and is not comparable with the mean IoU beside it.
# The way around: `average="none"` and the mean of the other classes; or give the unlabelled pixels a value outside
# 0..num_classes-1 (255) and no output.
# (torch comes from PyPI: a large download.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import torch
from torchmetrics.classification import (MulticlassAccuracy, MulticlassF1Score, MulticlassJaccardIndex,
                                         MulticlassPrecision, MulticlassRecall)

print("torchmetrics", version("torchmetrics"))
truth = torch.tensor([0] * 100 + [1] * 5000 + [2] * 5000)
perfect = truth.clone()
one = perfect.clone()
one[100] = 0  # one labelled pixel of 10 000 is given the ignored class
drop = {}
for metric in (MulticlassAccuracy, MulticlassRecall, MulticlassPrecision, MulticlassF1Score, MulticlassJaccardIndex):
    before, after = (float(metric(3, average="macro", ignore_index=0)(p, truth)) for p in (perfect, one))
    drop[metric.__name__] = before - after
    print(f"{metric.__name__:24s} macro, all right {before:.4f}, one pixel wrong {after:.4f}")
counted = {name for name, d in drop.items() if d > 0.3}
assert counted == set(drop) - {"MulticlassJaccardIndex"}, "behaviour changed"
assert drop["MulticlassJaccardIndex"] < 0.001, "behaviour changed"
each = MulticlassAccuracy(3, average="none", ignore_index=0)(one, truth)
print("the way around:", float(each[1:].mean()))
PY
