#!/usr/bin/env bash
# R terra 1.7-3 (Debian 12): predict() writes class positions 1, 2, 3 to the file instead of the codes 10, 20, 30
#
# One would expect: a classifier trained on the factor with levels 10, 20, 30 gives a raster of 10, 20, 30; terra
# even prints "min value 10, max value 30".
# What happens: the pixels hold the level's position, 1 to 3, and the codes are only labels beside them (in
# map.tif.aux.xml). Any reader of pixels, such as rasterio, gets 1, 2, 3; a class that the training lacks moves all
# codes after it.
# Whom it hurts: maps made in R and assessed in Python or Earth Engine against references in the legend's codes:
# WorldCover's 10, 20, 30 read as 1, 2, 3; with a legend of 1, 2, 4, 5 the error even looks like a bad map.
# The way around: before writing, turn positions into codes: `subst(p, 1:3, as.integer(levels(d$class)))` on the
# numbers, as below.
# Needs Debian 12; installs r-cran-terra and r-cran-rpart at the pinned versions with apt-get if they are missing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
have() { [ "$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null || true)" = "$2" ]; }
if ! have r-cran-terra 1.7-3-1 || ! have r-cran-rpart 4.1.19-1; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        r-cran-terra=1.7-3-1 r-cran-rpart=4.1.19-1 > apt.log 2>&1 || { tail -5 apt.log; exit 1; }
fi
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rasterio==1.4.4 numpy==2.4.6
cat > show.R <<'R'
suppressPackageStartupMessages({library(terra); library(rpart)})
cat("terra", as.character(packageVersion("terra")), "rpart", as.character(packageVersion("rpart")), "\n")
image <- rast(nrows = 2, ncols = 6, xmin = 399960, xmax = 400020, ymin = 5399980, ymax = 5400000, crs = "EPSG:32633")
values(image) <- rep(c(1, 1, 5, 5, 9, 9), 2)
names(image) <- "B8"
d <- data.frame(B8 = c(1, 1.1, 0.9, 5, 5.1, 4.9, 9, 9.1, 8.9))
d$class <- factor(rep(c(10, 20, 30), each = 3))
model <- rpart(class ~ B8, d, control = rpart.control(minsplit = 2))
map <- predict(image, model, type = "class")
print(map)
writeRaster(map, "map.tif", datatype = "INT1U")
codes <- map
levels(codes) <- NULL
codes <- subst(codes, seq_along(levels(d$class)), as.integer(levels(d$class)))
writeRaster(codes, "codes.tif", datatype = "INT1U")
R
Rscript --vanilla show.R
venv/bin/python - <<'PY'
import os

import numpy as np
import rasterio

found = {name: np.unique(rasterio.open(name).read(1)).tolist() for name in ("map.tif", "codes.tif")}
print("pixels of predict()'s file:", found["map.tif"], "| after subst:", found["codes.tif"])
assert found["map.tif"] == [1, 2, 3], "behaviour changed"
assert os.path.exists("map.tif.aux.xml")
assert found["codes.tif"] == [10, 20, 30], "behaviour changed"
PY
