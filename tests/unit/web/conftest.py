import pytest

from tests.shop import fill
from tests.sites import served_site


@pytest.fixture
def site(tmp_path):
    """The HTTP side of a shop's daemon."""
    with served_site(fill(tmp_path)) as made:
        yield made
