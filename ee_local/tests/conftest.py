"""One server of two small scenes for all tests of a module; and every call of a function watched.

Each result must be of the type that Earth Engine's own list declares for the function, in whatever
test it is computed. ``evidence.py`` also asks here which test calls which function, and what fails
where a function's results are changed.
"""

import ee
import evidence
import pytest
from local_engine import COLLECTION, Local, initialise, write_scenes

import ee_local


def pytest_configure(config):
    evidence.watch()


@pytest.fixture(autouse=True)
def _named(request):
    """Say which test the calls belong to."""
    with evidence.test(request.node.nodeid):
        yield


@pytest.fixture(scope="session", autouse=True)
def no_list_of_deprecated_assets():
    """Keep the client from asking Google for it, whatever address it is pointed at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ee.deprecation._FetchDataCatalogStac", dict)
        yield


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
