"""In which order the environments of one commit are planned."""

from itertools import permutations

import pytest

from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.services.plan_order import Begun, rehearsal_rounds

EU, US = TargetName("eu"), TargetName("us")


def thing(name):
    return ObjectRef(group="", kind="ConfigMap", namespace="shop", name=name)


def on(target, *names):
    return {target: frozenset(map(thing, names))}


def begun(claims=None, reached=(EU,)):
    return Begun(claims=claims or {}, reached=frozenset(reached))


def ordered(names, runs, owned, after=None):
    rounds = rehearsal_rounds(names, after or {}, runs, owned)
    return [name for each in rounds for name in each]


@pytest.mark.parametrize("names", [*permutations(["gets", "loses"])])
def test_who_lets_an_object_go_comes_before_who_gets_it(names):
    runs = {"gets": begun(on(EU, "a")), "loses": begun(on(EU, "b"))}

    assert ordered(names, runs, {"loses": on(EU, "a", "b")}) == ["loses", "gets"]


@pytest.mark.parametrize("names", [*permutations(["gets", "loses"])])
def test_who_lets_it_go_too_late_comes_after(names):
    runs = {"gets": begun(on(EU, "a")), "loses": begun(reached=())}

    assert ordered(names, runs, {"loses": on(EU, "a")}) == ["gets", "loses"]


@pytest.mark.parametrize("names", [*permutations(["gets", "loses"])])
def test_who_waits_on_that_target_only_comes_after_for_its_objects(names):
    runs = {"gets": begun(on(US, "a"), [US]), "loses": begun(on(EU, "a"), [EU])}

    assert ordered(names, runs, {"loses": on(US, "a")}) == ["gets", "loses"]


def test_who_waits_comes_last_and_after_those_that_it_waits_for():
    runs = {"a": begun(reached=()), "b": begun(reached=()), "c": begun()}

    found = ordered(["a", "b", "c"], runs, {}, after={"a": ["b"], "c": ["a"]})

    assert found == ["c", "b", "a"]


def test_who_has_nothing_to_do_with_others_goes_beside_them():
    runs = {name: begun(on(EU, name)) for name in "abcd"}
    owned = {"d": on(EU, "d", "a"), "b": on(EU, "b")}

    found = rehearsal_rounds(list("abcd"), {}, runs, owned)

    assert found == [["d"], ["a"], ["b", "c"]]


@pytest.mark.parametrize(
    ("group", "kind"),
    [("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")],
)
def test_who_brings_what_others_may_need_comes_first(group, kind):
    place = ObjectRef(group=group, kind=kind, namespace="", name="x")
    runs = {"a": begun(on(EU, "a")), "b": begun({EU: frozenset({place})})}

    assert rehearsal_rounds(["a", "b"], {}, runs, {}) == [["b"], ["a"]]


def test_who_waits_goes_alone():
    runs = {name: begun(reached=()) for name in "ab"}

    assert rehearsal_rounds(["a", "b"], {}, runs, {}) == [["a"], ["b"]]


def test_two_that_want_what_the_other_has_are_both_there():
    runs = {"a": begun(on(EU, "y")), "b": begun(on(EU, "x"))}

    found = ordered(["a", "b"], runs, {"a": on(EU, "x"), "b": on(EU, "y")})

    assert sorted(found) == ["a", "b"]


def test_a_long_chain_of_moves_is_no_deep_recursion():
    names = [f"e{number:04}" for number in range(3000)]
    runs = {name: begun(on(EU, name)) for name in names}
    owned = {
        name: on(EU, other) for name, other in zip(names[1:], names[:-1], strict=True)
    }

    found = ordered(names, runs, owned)

    assert found == list(reversed(names))
