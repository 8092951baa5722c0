"""``python -m lulc_lib`` is the ``lulc`` command."""

from lulc_lib.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
