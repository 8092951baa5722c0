"""One server of two small scenes for all tests of a module."""

import ee
import pytest
from local_engine import COLLECTION, Local, initialise, write_scenes

import ee_local


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The local Earth Engine on two small scenes, and the client initialised with it."""
    root = tmp_path_factory.mktemp("data")
    dn = write_scenes(root)
    exports = tmp_path_factory.mktemp("exports")
    with ee_local.start(root, exports=exports, collection=COLLECTION) as server:
        initialise(server.address)
        yield Local(server, dn, root, exports)
    ee.Reset()
