"""Which environment a name in a file means."""

import pytest

from gitops_wf.core.identifiers import meant_environment

OWN = {"staging", "eu/prod", "shared/prod"}
OTHERS = {"shop", "shared", "eu"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("staging", "shop/staging"),
        ("shop/staging", "shop/staging"),
        ("eu/prod", "shop/eu/prod"),
        ("shared/prod", "shop/shared/prod"),
        ("shared/dns", "shared/dns"),
        ("shared/eu/dns", "shared/eu/dns"),
        ("shop/gone", None),
        ("stagging", None),
        ("strange/prod", None),
    ],
)
def test_its_own_environments_come_before_those_of_other_repositories(written, meant):
    found = meant_environment(written, "shop", own=OWN, others=OTHERS)

    assert found == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("staging", "shop/staging"),
        ("shared/dns", "shared/dns"),
        ("eu1/prod", "shop/eu1/prod"),
    ],
)
def test_where_its_own_are_not_known_nothing_is_missed_among_them(written, meant):
    assert meant_environment(written, "shop", own=None, others=OTHERS) == meant


def test_where_other_repositories_are_not_known_a_name_is_one_of_its_own_or_none():
    assert meant_environment("eu/prod", "shop", own=OWN, others=None) == "shop/eu/prod"
    assert meant_environment("shared/dns", "shop", own=OWN, others=None) is None
