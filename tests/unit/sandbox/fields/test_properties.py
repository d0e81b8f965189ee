"""What holds for every apply, whatever is applied."""

import copy
import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitops_wf.sandbox.fields import fieldset
from gitops_wf.sandbox.fields.apply import server_side_apply
from gitops_wf.sandbox.fields.comparing import compare
from gitops_wf.sandbox.fields.errors import ApplyConflict
from gitops_wf.sandbox.fields.managed import decode, encode
from gitops_wf.sandbox.fields.merging import merge
from gitops_wf.sandbox.fields.owning import to_fields
from gitops_wf.sandbox.fields.schema import Schemas
from gitops_wf.sandbox.fields.typed import same

SCHEMA = Schemas.bundled().for_kind("apps/v1", "Deployment")
NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from(["1", "2", "3"])
# An empty map or list is owned, but not stored, so it is nowhere to be found.
MAPS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)


def keyed(key: str, values: st.SearchStrategy[Any], more: dict[str, Any]) -> Any:
    items = st.fixed_dictionaries({key: values}, optional=more)
    return st.lists(items, min_size=1, max_size=3, unique_by=lambda item: item[key])


CONTAINERS = keyed(
    "name",
    NAMES,
    {
        "image": VALUES,
        "args": st.lists(VALUES, min_size=1, max_size=2),
        "env": keyed("name", NAMES, {"value": VALUES}),
        "ports": keyed("containerPort", st.integers(1, 3), {"name": NAMES}),
    },
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 3),
        "paused": st.just(True),
        "template": st.fixed_dictionaries(
            {},
            optional={
                "metadata": st.fixed_dictionaries({"labels": MAPS}),
                "spec": st.fixed_dictionaries(
                    {}, optional={"containers": CONTAINERS, "nodeSelector": MAPS}
                ),
            },
        ),
    },
)
METADATA = st.fixed_dictionaries(
    {"name": st.just("web")},
    optional={
        "labels": MAPS,
        "annotations": MAPS,
        "finalizers": st.lists(NAMES, min_size=1, max_size=3, unique=True),
    },
)
CONFIGS = st.fixed_dictionaries(
    {
        "apiVersion": st.just("apps/v1"),
        "kind": st.just("Deployment"),
        "metadata": METADATA,
    },
    optional={"spec": SPECS},
)
NOTHING = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}


def apply(
    live: Any, config: Any, manager: str, *, force: bool = True, now: str = "1"
) -> Any:
    return server_side_apply(
        copy.deepcopy(live),
        config,
        manager=manager,
        force=force,
        schema=SCHEMA,
        now=now,
    )


def plain(obj: dict[str, Any]) -> dict[str, Any]:
    metadata = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return obj | {"metadata": metadata}


@given(config=CONFIGS)
@settings(deadline=None)
def test_applying_the_same_twice_changes_nothing(config: Any) -> None:
    once = apply(None, config, "one")
    # Without any owner the next apply makes up one for all that is there.
    assume("managedFields" in once["metadata"])
    assert apply(once, config, "one", now="2") == once


@given(first=CONFIGS, second=CONFIGS)
@settings(deadline=None)
def test_what_one_manager_added_alone_goes_with_it(first: Any, second: Any) -> None:
    base = apply(None, first, "one")
    try:
        both = apply(base, second, "two", force=False)
    except ApplyConflict:
        return
    left = apply(both, NOTHING, "two")
    assert same(sorted_lists(plain(left)), sorted_lists(plain(base)))


@given(first=CONFIGS, second=CONFIGS)
@settings(deadline=None)
def test_a_forced_apply_owns_what_it_applied(first: Any, second: Any) -> None:
    both = apply(apply(None, first, "one"), second, "two")
    again = apply(both, second, "two", force=False, now="2")
    assert plain(again) == plain(both)


@given(first=CONFIGS, second=CONFIGS)
@settings(deadline=None)
def test_an_applied_value_is_in_the_object(first: Any, second: Any) -> None:
    both = apply(apply(None, first, "one"), second, "two")
    missing = compare(SCHEMA, both, merge(SCHEMA, both, second))
    # A list item is completed with defaults only after the merge.
    assert missing[2] == {}


@given(config=CONFIGS)
@settings(deadline=None)
def test_managed_fields_survive_a_round_trip(config: Any) -> None:
    entries = apply(None, config, "one")["metadata"].get("managedFields", [])
    wire = json.loads(json.dumps(entries))
    assert encode(decode(wire)) == entries


@given(left=CONFIGS, right=CONFIGS)
def test_field_sets_obey_the_laws_of_sets(left: Any, right: Any) -> None:
    a, b = to_fields(SCHEMA, left), to_fields(SCHEMA, right)
    both, either = fieldset.intersection(a, b), fieldset.union(a, b)
    assert set(fieldset.paths(either)) == {*fieldset.paths(a), *fieldset.paths(b)}
    assert set(fieldset.paths(both)) == set(fieldset.paths(a)) & set(fieldset.paths(b))
    rest = set(fieldset.paths(fieldset.difference(a, b)))
    assert rest == set(fieldset.paths(a)) - set(fieldset.paths(b))


def sorted_lists(value: Any) -> Any:
    """A merged list may be in another order than before: keys make its items."""
    if isinstance(value, dict):
        return {k: sorted_lists(v) for k, v in value.items()}
    if isinstance(value, list):
        return sorted((sorted_lists(v) for v in value), key=json.dumps)
    return value
