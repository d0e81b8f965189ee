"""Which objects wait for which: sync waves, depends-on, and both together."""

import pytest

from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.delivery.rendering import Desired
from gitops_wf.delivery.waves import waves


def desired(
    name, kind="ConfigMap", wave=None, needs=None, hook=None, weight=None, argo=None
):
    annotations = {
        "argocd.argoproj.io/hook": argo,
        "helm.sh/hook": hook,
        "helm.sh/hook-weight": weight,
        "argocd.argoproj.io/sync-wave": wave,
        "config.kubernetes.io/depends-on": needs,
    }
    manifest = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "annotations": {k: v for k, v in annotations.items() if v is not None},
        },
    }
    if kind != "Namespace":
        manifest["metadata"]["namespace"] = "ns"
    return Desired(ref=ObjectRef.of(manifest), manifest=manifest, path="a.yaml", line=3)


def names(objects):
    return [sorted(item.ref.name for item in wave) for wave in waves(objects)]


def on(*names):
    return ", ".join(f"/namespaces/ns/ConfigMap/{name}" for name in names)


def test_what_waits_for_nothing_is_one_wave():
    assert names([]) == []
    assert names([desired("a"), desired("b", "Deployment"), desired("n", "Namespace")])


def test_sync_waves_come_one_after_the_other_with_what_all_need_in_the_first():
    found = names(
        [
            desired("last", wave="2"),
            desired("first", "Deployment", "-1"),
            desired("middle"),
            desired("space", "Namespace", "5"),
        ]
    )

    assert found == [["first", "space"], ["middle"], ["last"]]


def test_what_depends_on_others_comes_after_all_of_them():
    found = names(
        [
            desired("d", needs=on("b", "c")),
            desired("c", needs=on("b")),
            desired("b"),
            desired("a"),
        ]
    )

    assert found == [["a", "b"], ["c"], ["d"]]


def test_a_cluster_wide_object_is_named_without_a_namespace():
    found = names([desired("a", needs="/Namespace/ns"), desired("ns", "Namespace")])

    assert found == [["ns"], ["a"]]


def test_waves_and_dependencies_make_one_order():
    found = names(
        [
            desired("later", wave="1", needs=on("a")),
            desired("b", needs=on("a")),
            desired("a"),
            desired("early", wave="-1"),
        ]
    )

    assert found == [["early"], ["a"], ["b"], ["later"]]


@pytest.mark.parametrize(
    ("objects", "error"),
    [
        ([("a", {"wave": "one"})], "sync-wave must be a whole number"),
        ([("a", {"needs": on("b")})], "names ConfigMap/ns/b, which this step does not"),
        ([("a", {"needs": on("a")})], "names the object itself"),
        ([("a", {"needs": "ConfigMap/b"})], "'ConfigMap/b' is no object: write group"),
        ([("a", {"needs": "/namespaces/ns/ConfigMap/"})], "is no object"),
        ([("a", {"needs": on("b") + ","}), ("b", {})], "'' is no object"),
        (
            [("a", {"needs": on("b")}), ("b", {"wave": "1"})],
            "names ConfigMap/ns/b, which is of a later sync wave",
        ),
        (
            [
                ("a", {"needs": on("b")}),
                ("b", {"needs": on("c")}),
                ("c", {"needs": on("b")}),
            ],
            "in a circle: ConfigMap/ns/b -> ConfigMap/ns/c -> ConfigMap/ns/b",
        ),
    ],
)
def test_what_cannot_be_ordered_is_told_with_file_and_line(objects, error):
    with pytest.raises(DefinitionError) as caught:
        waves(desired(name, **fields) for name, fields in objects)

    assert str(caught.value).startswith("a.yaml:3: ")
    assert error in str(caught.value)


def test_hooks_of_a_chart_come_before_and_after_all_else_by_their_weight():
    objects = [
        desired("web", "Deployment"),
        desired("late", wave="5"),
        desired("migrate", "Job", hook="pre-install,pre-upgrade", weight="5"),
        desired("account", "ServiceAccount", hook="pre-install", weight="-5"),
        desired("warm", "Job", hook="post-upgrade"),
        desired("crd", "CustomResourceDefinition", hook="crd-install"),
    ]

    assert names(objects) == [
        ["account", "crd"],
        ["migrate"],
        ["web"],
        ["late"],
        ["warm"],
    ]


def test_hooks_of_argo_cd_come_before_among_and_after_all_else_by_their_wave():
    objects = [
        desired("web", "Deployment"),
        desired("late", wave="5"),
        desired("migrate", "Job", argo="PreSync", wave="2"),
        desired("account", "ServiceAccount", argo="PreSync"),
        desired("seed", "Job", argo="Sync", wave="5"),
        desired("smoke", "Job", argo="PostSync", hook="pre-install", weight="-3"),
        desired("tell", "Job", argo="PostSync,SyncFail"),
        desired("page", "Job", argo="SyncFail", wave="-7"),
    ]

    assert names(objects) == [
        ["account"],
        ["migrate"],
        ["page", "web"],
        ["late", "seed"],
        ["smoke"],
        ["tell"],
    ]


def test_a_sync_wave_of_a_helm_hook_comes_before_its_weight():
    objects = [
        desired("a", "Job", hook="pre-install", weight="1", wave="3"),
        desired("b", "Job", hook="pre-install", weight="2"),
    ]

    assert names(objects) == [["b"], ["a"]]


@pytest.mark.parametrize(
    ("hook", "weight", "why"),
    [
        ("pre-instal", None, "helm.sh/hook: pre-instal is none of"),
        ("pre-install", "first", "helm.sh/hook-weight must be a whole number"),
    ],
)
def test_a_hook_that_helm_does_not_know_is_refused_with_its_place(hook, weight, why):
    with pytest.raises(DefinitionError, match=f"a.yaml:3: .*{why}"):
        waves([desired("a", "Job", hook=hook, weight=weight)])
