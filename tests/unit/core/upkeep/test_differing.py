"""Differing fields are named by JSON pointers, and values of Secrets are not shown."""

from gitops_wf.core.upkeep.differing import field_drifts


def config_map(**data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "resourceVersion": "1", "managedFields": ["x"]},
        "data": data,
    }


def told(live, applied, wanted=None):
    return [str(each) for each in field_drifts(live, applied, wanted or applied)]


def test_a_changed_a_missing_and_an_added_field_are_told():
    live = config_map(same="1", changed="2", added="3")
    desired = config_map(same="1", changed="1", missing="4")

    assert told(live, desired) == [
        '/data/changed is "2", Git says "1"',
        '/data/missing is not there, Git says "4"',
        '/data/added is "3", Git says nothing of it',
    ]


def test_what_only_the_server_writes_does_not_count():
    live = config_map(a="1") | {"status": {"x": 1}}
    desired = config_map(a="1") | {"status": {"x": 2}}
    desired["metadata"] = {"name": "c", "resourceVersion": "9", "generation": 4}

    assert told(live, desired) == []


def test_items_are_told_apart_by_their_names_and_counted_as_git_has_them():
    def pod(*containers):
        return {
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": list(containers)},
        }

    live = pod({"name": "proxy", "image": "p:1"}, {"name": "web", "image": "w:2"})
    desired = pod({"name": "web", "image": "w:1"}, {"name": "proxy", "image": "p:1"})

    assert told(live, desired) == ['/spec/containers/0/image is "w:2", Git says "w:1"']


def test_lists_without_names_are_compared_in_order_or_as_a_whole():
    def job(*command):
        return {
            "kind": "Job",
            "metadata": {"name": "j"},
            "spec": {"command": list(command)},
        }

    assert told(job("a", "c"), job("a", "b")) == [
        '/spec/command/1 is "c", Git says "b"'
    ]
    assert told(job("a"), job("a", "b")) == [
        '/spec/command is ["a"], Git says ["a", "b"]'
    ]


def test_true_is_not_one():
    live, desired = config_map() | {"immutable": 1}, config_map() | {"immutable": True}

    assert told(live, desired) == ["/immutable is 1, Git says true"]


def test_values_of_secrets_and_of_kubectls_copy_are_masked():
    copy = "kubectl.kubernetes.io/last-applied-configuration"

    def secret(value):
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "annotations": {copy: value}},
            "data": {"password": value},
        }

    found = told(secret("aHVudGVyMjI="), secret("c2VjcmV0MzM="))

    assert found == [
        "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration is ***, Git says ***",
        "/data/password is ***, Git says ***",
    ]


def test_long_values_are_cut():
    wanted = config_map(a="y")
    (field,) = field_drifts(config_map(a="x" * 500), wanted, wanted)

    assert len(field.live) == 80


def test_what_others_wrote_in_between_is_theirs_and_what_an_apply_takes_away_is_not():
    wanted = config_map(a="1")
    applied = config_map(a="1", theirs="new", changed="new")
    live = config_map(a="1", changed="old", extra="gone with an apply")

    assert told(live, applied, wanted) == [
        '/data/extra is "gone with an apply", Git says nothing of it'
    ]


def test_numbers_in_a_path_count_the_list_as_git_has_it():
    def pod(*names, image="w:1"):
        items = [{"name": name, "image": image} for name in names]
        return {
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": items},
        }

    live, applied = pod("proxy", "web", image="w:2"), pod("proxy", "web")

    assert told(live, applied, pod("web")) == [
        '/spec/containers/0/image is "w:2", Git says "w:1"'
    ]
