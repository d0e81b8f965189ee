"""Field sets in the form of managedFields, and paths as conflicts show them."""

from typing import Any

import pytest

from gitops_wf.sandbox.fields import fieldset

OWNED: dict[str, Any] = {"f:a": {".": {}, "f:b": {}, "f:c": {"f:d": {}}}}


def shown(fields: dict[str, Any]) -> list[str]:
    return [fieldset.path_text(path) for path in fieldset.paths(fields)]


def test_a_parent_is_only_a_member_with_a_dot() -> None:
    assert shown(OWNED) == [".a", ".a.b", ".a.c.d"]


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("f:image", ".image"),
        ('k:{"name":"web"}', '[name="web"]'),
        ('k:{"port":80,"protocol":"TCP"}', '[port=80,protocol="TCP"]'),
        ('v:"example.com/a"', '[="example.com/a"]'),
        ("i:3", "[3]"),
    ],
)
def test_a_path_is_shown_as_the_server_shows_it(element: str, text: str) -> None:
    assert fieldset.element_text(element) == text


def test_members_of_a_level_come_before_what_is_below_it() -> None:
    fields = {"f:z": {}, "f:a": {"f:b": {}}, 'k:{"n":2}': {}, 'k:{"n":10}': {}}
    assert shown(fields) == [".z", "[n=2]", "[n=10]", ".a.b"]


def test_keys_of_an_item_are_sorted_by_name() -> None:
    element = fieldset.key_element({"protocol": "TCP", "containerPort": 80})
    assert element == 'k:{"containerPort":80,"protocol":"TCP"}'


def test_taking_a_parent_away_leaves_its_children() -> None:
    left = fieldset.difference(OWNED, {"f:a": {}})
    assert left == {"f:a": {"f:b": {}, "f:c": {"f:d": {}}}}


def test_taking_a_child_away_leaves_its_parent() -> None:
    left = fieldset.difference(OWNED, {"f:a": {"f:b": {}, "f:c": {"f:d": {}}}})
    assert left == {"f:a": {}}


def test_without_a_member_everything_below_it_goes_along() -> None:
    assert fieldset.without(OWNED, {"f:a": {}}) == {}
    assert fieldset.without(OWNED, {"f:a": {"f:c": {}}}) == {
        "f:a": {".": {}, "f:b": {}}
    }
