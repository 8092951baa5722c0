#!/usr/bin/env bash
# geoblaze 2.8.0 (npm): the mode of a tie is the mean of the tied classes, a class that the zone may not have
#
# One would expect: `geoblaze.mode` gives the most frequent class; where two tie, one of them.
# What happens: the tied values are averaged. Half class 1 (forest), half class 3 (water) gives 2, another class of
# the legend; a tie of 1 and 2 gives 1.5, which is none.
# Whom it hurts: majority class per parcel or grid cell in the browser or in node; ties are common in small zones
# (2 x 2 pixels when a 10 m map goes to 20 m).
# The way around: take `modes` of `geoblaze.stats`, which lists the tied classes, and choose one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"name": "show", "version": "1.0.0", "private": true}' > package.json
npm install --silent --no-audit --no-fund geoblaze@2.8.0 georaster@1.6.0
cat > show.js <<'JS'
const assert = require('assert');
const geoblaze = require('geoblaze');
const georaster = require('georaster');

const raster = (rows) => georaster([rows], {
  noDataValue: 255, projection: 32633, xmin: 399960, ymax: 5400000, pixelWidth: 10, pixelHeight: 10,
});
(async () => {
  console.log('geoblaze', require('geoblaze/package.json').version);
  const a = await raster([[1, 1, 3, 3], [3, 3, 1, 1]]);
  const b = await raster([[1, 2], [2, 1]]);
  const modes = [(await geoblaze.mode(a))[0], (await geoblaze.mode(b))[0]];
  const listed = (await geoblaze.stats(a))[0].modes;
  console.log('classes 1 and 3 tie: mode', modes[0], '| classes 1 and 2 tie: mode', modes[1], '| modes', listed);
  assert.strictEqual(modes[0], 2, 'behaviour changed');
  assert.strictEqual(modes[1], 1.5, 'behaviour changed');
  assert.deepStrictEqual(listed, [1, 3]);
})().catch((error) => { console.error(error); process.exit(1); });
JS
node show.js
