"""Quantities in the form in which the server stores them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_wf.sandbox.fields.quantity import canonical, is_quantity


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        (0.5, "500m"),
        ("0.5", "500m"),
        (2, "2"),
        ("1500m", "1500m"),
        ("1.5Gi", "1536Mi"),
        ("2000Mi", "2000Mi"),
        ("1000k", "1M"),
        ("0", "0"),
        ("0Mi", "0"),
        ("1e3", "1e3"),
        ("12e6", "12e6"),
        ("100n", "100n"),
        ("-1000m", "-1"),
        ("+1", "1"),
        (".5", "500m"),
        ("1.", "1"),
    ],
)
def test_a_quantity_is_stored_in_its_canonical_form(written: Any, stored: str) -> None:
    assert canonical(written) == stored


@pytest.mark.parametrize(
    "value", ["much", "1 Gi", "1Xi", "", True, None, ["1"], "1e", "--1"]
)
def test_what_is_no_quantity_is_left_as_it_is(value: Any) -> None:
    assert not is_quantity(value)
    assert canonical(value) == value


SUFFIXES = st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3"])


@given(number=st.integers(-5000, 5000), suffix=SUFFIXES)
def test_a_canonical_quantity_stays_as_it_is(number: int, suffix: str) -> None:
    once = canonical(f"{number}{suffix}")
    assert canonical(once) == once
