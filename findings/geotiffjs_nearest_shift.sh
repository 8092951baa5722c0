#!/usr/bin/env bash
# geotiff 3.0.5 (geotiff.js, npm): a class map read at twice its size is moved by one pixel to the north-west
#
# One would expect: `readRasters({width, height, resampleMethod: "nearest"})`, also its behaviour when no method is
# named, repeats each 20 m pixel as 2 x 2 pixels of 10 m, as GDAL does.
# What happens: output pixel i takes input pixel round(i / 2), as if pixels were points at their corners. Every second
# row and column comes from the neighbour to the south or east: the first pixel is given once, the last three times,
# and all borders lie one 10 m pixel further north and west.
# Whom it hurts: the 20 m scene classification (SCL) laid over 10 m bands in the browser or in node: cloud and shadow
# masks leave a rim of cloud on one side and take away good pixels on the other.
# The way around: read at the file's own size and repeat the pixels oneself, pixel floor(i / 2).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"name": "show", "version": "1.0.0", "private": true}' > package.json
npm install --silent --no-audit --no-fund geotiff@3.0.5
cat > show.mjs <<'JS'
import assert from 'assert';
import { readFileSync } from 'fs';
import { fromArrayBuffer, writeArrayBuffer } from 'geotiff';

console.log('geotiff', JSON.parse(readFileSync('node_modules/geotiff/package.json')).version);
const size = 5;
const numbers = Uint8Array.from({ length: size * size }, (_, i) => i); // each pixel its own number
const file = await writeArrayBuffer(numbers, {
  width: size, height: size, ModelPixelScale: [20, 20, 0], ModelTiepoint: [0, 0, 0, 399960, 5400000, 0],
});
const image = await (await fromArrayBuffer(file)).getImage();
const own = await image.readRasters();
assert.deepStrictEqual(Array.from(own[0]), Array.from(numbers));
for (const options of [{}, { resampleMethod: 'nearest' }]) {
  const [band] = await image.readRasters({ width: 2 * size, height: 2 * size, ...options });
  const columns = Array.from(band.slice(0, 2 * size));
  const rows = Array.from({ length: 2 * size }, (_, i) => Math.floor(band[i * 2 * size] / size));
  console.log('columns read', columns.join(' '), '| rows read', rows.join(' '), '| expected 0 0 1 1 2 2 3 3 4 4');
  assert.deepStrictEqual(columns, [0, 1, 1, 2, 2, 3, 3, 4, 4, 4], 'behaviour changed');
  assert.deepStrictEqual(rows, columns, 'behaviour changed');
}
JS
node show.mjs
