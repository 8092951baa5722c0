"""What all tests of the Earth Engine room share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_list_of_deprecated_assets() -> Iterator[None]:
    """Keep the client from asking Google for it, whatever address it is pointed at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ee.deprecation._FetchDataCatalogStac", dict)
        yield
