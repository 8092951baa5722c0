#!/usr/bin/env bash
# rasterio 1.4.4 (GDAL 3.10.3): while a raster is opened over HTTP, all threads of Python stand still
#
# One would expect: rasterio gives Python's lock back while GDAL waits for a server, so other threads work on, a
# time limit in another thread strikes, and Ctrl-C ends the program.
# What happens: the opening itself does so, but then rasterio asks GDAL for the transform with the lock held, and GDAL
# looks for NAME.tif.aux.xml, an HTTP request of its own. Until the server has answered no other thread runs. GDAL sets
# no time limit: a server that never answers stops the whole process for ever, and a server in a thread of the same
# process, as tests have one, can never answer.
# Whom it hurts: whoever opens assets of STAC items in threads: a slow answer to a request for a file that nobody
# needs stops downloads, heartbeats of a dask worker (the scheduler takes it for dead), progress bars and SIGTERM.
# The way around: rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_HTTP_TIMEOUT=30, ...): no request for
# files beside the raster, and a limit for all others.
#
# A server of its own process, on loopback, answers 2 seconds late when it is asked for the .aux.xml.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rasterio==1.4.4 numpy==2.4.6
cat > server.py <<'PY'
import sys
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    def send_head(self):
        if self.path.endswith(".aux.xml"):
            time.sleep(2)
        return super().send_head()

    def log_message(self, *words):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
sys.stdout.close()
server.serve_forever()
PY
cat > show.py <<'PY'
import os
import subprocess
import sys
import threading
import time

import numpy as np
import rasterio

for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
    del os.environ[name]
print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
for name in ("a.tif", "b.tif"):
    with rasterio.open(name, "w", driver="GTiff", width=8, height=8, count=1, dtype="uint8", crs="EPSG:32633",
                       transform=rasterio.Affine(10, 0, 600000, 0, -10, 5600000)) as file:
        file.write(np.ones((1, 8, 8), np.uint8))
server = subprocess.Popen([sys.executable, "server.py"], stdout=subprocess.PIPE, text=True)
address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
last, longest, going = [time.monotonic()], [0.0], [True]


def tick():
    while going[0]:
        longest[0] = max(longest[0], time.monotonic() - last[0])
        last[0] = time.monotonic()
        time.sleep(0.02)


def standstill(name, **options):
    """Seconds for which another thread did not run while a raster was opened."""
    last[0], longest[0] = time.monotonic(), 0.0
    with rasterio.Env(**options), rasterio.open(f"{address}/{name}") as file:
        assert file.transform.c == 600000
    time.sleep(0.1)
    return longest[0]


threading.Thread(target=tick, daemon=True).start()
try:
    plain = standstill("a.tif")
    print(f"opened as it is: another thread stood still for {plain:.1f} s")
    alone = standstill("b.tif", GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")
    print(f"without a look for other files: {alone:.1f} s")
    assert plain > 1.9 > 1.0 > alone, "behaviour changed"
finally:
    going[0] = False
    server.terminate()
    server.wait()
PY
venv/bin/python show.py
