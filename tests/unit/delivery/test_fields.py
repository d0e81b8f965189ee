"""managedFields: whose share a field is, and what taking it over leaves."""

from gitops_wf.delivery.fields import is_same, owners, without_share

KUBECTL = ("kubectl", "Update", "")


def entry(manager, fields, operation="Update", **more):
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


def thing(*entries, **body):
    return {"metadata": {"name": "a", "managedFields": list(entries)}, **body}


def test_what_only_the_one_owns_goes_with_its_share():
    theirs = entry("kubectl", {"f:data": {".": {}, "f:a": {}, "f:b": {}}})
    ours = entry("gitops-wf", {"f:data": {"f:a": {}}}, "Apply")

    left = without_share(
        thing(theirs, ours, data={"a": "1", "b": "1", "c": "1"}), [KUBECTL]
    )

    assert left["data"] == {"a": "1", "c": "1"}
    assert owners(left) == {("gitops-wf", "Apply", "")}


def test_items_of_keyed_lists_go_by_their_keys():
    def named(*names):
        return {
            "f:ports": {f'k:{{"port":{n}}}': {".": {}, "f:port": {}} for n in names}
        }

    both = thing(
        entry("kubectl", named(80, 81)), entry("gitops-wf", named(80), "Apply"),
        ports=[{"port": 80}, {"port": 81}],
    )  # fmt: skip

    assert without_share(both, [KUBECTL])["ports"] == [{"port": 80}]


def test_values_of_sets_go_by_themselves():
    both = thing(
        entry("kubectl", {"f:finalizers": {".": {}, 'v:"a"': {}, 'v:"b"': {}}}),
        entry("gitops-wf", {"f:finalizers": {'v:"a"': {}}}, "Apply"),
        finalizers=["a", "b"],
    )  # fmt: skip

    assert without_share(both, [KUBECTL])["finalizers"] == ["a"]


def test_what_another_manager_owns_stays():
    shares = (entry(name, {"f:data": {"f:a": {}}}) for name in ("kubectl", "helm"))

    assert without_share(thing(*shares, data={"a": "1"}), [KUBECTL])["data"] == {
        "a": "1"
    }


def test_defaults_that_nobody_owns_stay_below_what_nobody_owns_whole():
    theirs = entry("kubectl", {"f:spec": {"f:a": {}}})

    assert without_share(thing(theirs, spec={"a": 1, "b": 2}), [KUBECTL])["spec"] == {
        "b": 2
    }


def test_an_object_without_that_share_is_as_it_was():
    same = thing(entry("helm", {"f:data": {"f:a": {}}}), data={"a": "1"})

    assert without_share(same, [KUBECTL]) is same


def test_times_and_versions_alone_are_no_change():
    one = thing(entry("a", {"f:data": {}}, time="1"), data={"a": "1"})
    other = thing(entry("a", {"f:data": {}}, time="2"), data={"a": "1"})
    other["metadata"]["resourceVersion"] = "8"

    assert is_same(one, other)
    assert not is_same(one, {**other, "data": {"a": "2"}})
    assert not is_same(one, thing(entry("b", {"f:data": {}}), data={"a": "1"}))
