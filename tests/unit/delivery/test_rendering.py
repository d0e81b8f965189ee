"""Files become objects: what is delivered, and every mistake with its place."""

import base64
import re

import pytest
import yaml

from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import DefinitionError, TerminalError
from gitops_wf.core.identifiers import EnvironmentName
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.delivery.choosing import Part, manifest_files
from gitops_wf.delivery.rendering import desired_objects, read_sources
from gitops_wf.delivery.selector import Selector
from gitops_wf.ports.cluster import AllowList
from gitops_wf.ports.content import File


def environment(**fields):
    return Environment(name=EnvironmentName("prod"), folder="envs/prod", **fields)


def chosen(*paths, part=None, step_files=(), **fields):
    files = [File(path=f"envs/prod/{path}", data=b"") for path in paths]
    found = manifest_files(files, environment(**fields), part or Part(), step_files)
    return [file.path.removeprefix("envs/prod/") for file in found]


def render(text, *, allowed=None, selector="", path="a.yaml"):
    sources = read_sources([File(path=path, data=text.encode())], read_manifests)
    return desired_objects(
        sources,
        namespace="shop",
        allowed=allowed or AllowList(),
        is_namespaced=lambda _version, kind: kind not in {"Namespace", "ClusterRole"},
        part=Part(selector=Selector.parse(selector)),
        labels={"owner": "prod"},
    )


def manifest(kind="ConfigMap", name="a", **fields):
    metadata = {"name": name, **fields.pop("metadata", {})}
    return yaml.safe_dump(
        {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}
    )


JOB = manifest("Job").replace("apiVersion: v1", "apiVersion: batch/v1")


def test_manifests_of_the_folder_and_its_subfolders_are_delivered():
    assert chosen("a.yaml", "b.yml", "c.json", "sub/d.yaml", "readme.txt") == [
        "a.yaml",
        "b.yml",
        "c.json",
        "sub/d.yaml",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "environment.yaml",
        "workflow.yaml",
        "workflow.yml",
        "approvals.yaml",
        "approvals/1.yaml",
        "jobs/seed.yaml",
        ".github/ci.yaml",
        "notes.md",
        "ignored/x.yaml",
    ],
)
def test_control_files_and_what_is_ignored_are_not_delivered(path):
    assert chosen(path, ignore=("*.md", "ignored/*")) == []


def test_files_that_steps_use_are_not_delivered():
    assert chosen("a.yaml", "seed.yaml", step_files=["envs/prod/seed.yaml"]) == [
        "a.yaml"
    ]


def test_an_environment_inside_another_is_not_delivered_with_it():
    assert chosen("a.yaml", "eu/environment.yaml", "eu/b.yaml") == ["a.yaml"]


def test_a_path_delivers_a_part():
    assert chosen("a.yaml", "eu/b.yaml", part=Part(path="eu")) == ["eu/b.yaml"]
    assert chosen("a.yaml", "eu/b.yaml", part=Part(path="a.yaml")) == ["a.yaml"]
    with pytest.raises(TerminalError, match="path us: no such file or folder"):
        chosen("a.yaml", part=Part(path="us"))
    for outside in ("../other", "/etc"):
        with pytest.raises(TerminalError, match="must stay inside"):
            chosen("a.yaml", part=Part(path=outside))


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("base/kustomization.yaml", "name its folder as the step's `path`"),
        ("Chart.yaml", r"where environment.yaml names it: helm: \{chart: …\}"),
    ],
)
def test_what_another_renderer_would_make_is_never_left_out_in_silence(path, mend):
    with pytest.raises(DefinitionError, match=mend):
        chosen(path, "a.yaml")


def test_an_object_is_completed_with_namespace_and_label():
    [found] = render(
        manifest(status={"x": 1}, metadata={"uid": "1", "labels": {"a": "b"}})
    )

    assert found.manifest["metadata"] == {
        "name": "a",
        "namespace": "shop",
        "labels": {"a": "b", "owner": "prod"},
    }
    assert "status" not in found.manifest
    assert str(found.ref) == "ConfigMap/shop/a"


def test_lists_are_taken_apart():
    inner = yaml.safe_load(manifest(name="b"))
    typed = {"metadata": {"name": "c"}, "data": {"k": "1"}}
    text = yaml.safe_dump_all(
        [
            {"apiVersion": "v1", "kind": "List", "items": [inner]},
            {"apiVersion": "v1", "kind": "ConfigMapList", "items": [typed]},
        ]
    )

    assert [str(each.ref) for each in render(text)] == [
        "ConfigMap/shop/b",
        "ConfigMap/shop/c",
    ]


def test_a_secret_s_plain_text_is_stored_as_the_server_would():
    [found] = render(manifest("Secret", stringData={"k": "v"}, data={"j": "eA=="}))

    assert "stringData" not in found.manifest
    assert found.manifest["data"] == {
        "j": "eA==",
        "k": base64.b64encode(b"v").decode(),
    }


def test_a_selector_delivers_a_part():
    text = manifest(metadata={"labels": {"tier": "web"}}) + "---\n" + manifest(name="b")

    assert [str(each.ref) for each in render(text, selector="tier=web")] == [
        "ConfigMap/shop/a"
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: 1\n", "a.yaml:1: manifest has no kind: add one (such as Deployment)"),
        ("\n\nkind: X\n", "a.yaml:3: manifest has no apiVersion: add one"),
        ("apiVersion: v1\nkind: X\n", "a.yaml:1: X has no metadata"),
        (manifest(metadata={"name": None}), "a.yaml:1: ConfigMap has no name: add"),
        (manifest(metadata={"name": 12}), "must be a string, not 12: quote it"),
        ("apiVersion: v1\nkind: X\nmetadata: {generateName: x-}\n", "generateName"),
        (manifest(metadata={"name": ".."}), "is no name of an object"),
        (manifest(metadata={"name": "a/b"}), "is no name of an object"),
        (manifest(metadata={"namespace": ".."}), "metadata.namespace '..' is no name"),
        (
            manifest(metadata={"namespace": False}),
            "False is no name of an object: quote",
        ),
        (manifest(metadata={"labels": {"a": 1}}), "metadata.labels.a must be a string"),
        (manifest(metadata={"labels": []}), "metadata.labels must be a map"),
        (
            manifest("Secret", stringData={"pin": 1234}),
            "stringData.pin must be a string: ",
        ),
        (manifest("Namespace", metadata={"namespace": "x"}), "have no namespace"),
        (manifest() + "---\n" + manifest(), "given twice: first in a.yaml:1"),
        ("apiVersion: v1\nkind: 1\nmetadata: {}\n", "kind must be a string"),
        ("apiVersion: v1\nkind: List\nitems: [1]\n", "items[0] is no object"),
    ],
)
def test_a_mistake_is_told_with_its_file_line_and_mend(text, error):
    with pytest.raises(DefinitionError) as caught:
        render(text)

    assert error in str(caught.value)
    assert str(caught.value).startswith("a.yaml:")


def test_two_spellings_of_one_object_are_one_object():
    text = manifest() + "---\n" + manifest(metadata={"namespace": "shop"})

    with pytest.raises(DefinitionError, match="ConfigMap/shop/a is given twice"):
        render(text)


@pytest.mark.parametrize(
    ("allowed", "text", "error"),
    [
        (AllowList(kinds=("Secret",)), manifest(), "kind ConfigMap is not allowed"),
        (AllowList(kinds=("ConfigMap.x",)), manifest(), "kind ConfigMap is not all"),
        (AllowList(kinds=("Job.batch",)), JOB, None),
        (AllowList(kinds=("Job",)), JOB, None),
        (AllowList(kinds=("Job.x",)), JOB, "kind Job.batch is not allowed"),
        (AllowList(), manifest(name="gitops-wf.shop.prod"), "is the daemon's own"),
        (AllowList(), manifest("Secret", "gitops-wf.shop.prod"), None),
        (AllowList(namespaces=("x",)), manifest(), "namespace shop is not allowed"),
        (AllowList(namespaces=("shop",)), manifest("ClusterRole"), "cluster-wide"),
        (AllowList(namespaces=("shop",)), manifest("Namespace", "b"), "namespace b"),
        (AllowList(namespaces=("sh*",)), manifest(), None),
        (AllowList(namespaces=("a",)), manifest("Namespace", "a"), None),
        (
            AllowList(namespaces=("a",), kinds=("ClusterRole",)),
            manifest("ClusterRole"),
            None,
        ),
    ],
)
def test_a_target_takes_what_its_allow_lists_say(allowed, text, error):
    if error is None:
        assert len(render(text, allowed=allowed)) == 1
        return
    with pytest.raises(DefinitionError, match=error):
        render(text, allowed=allowed)


def hook(
    image="a:1", kind="Job", stem="smoke-", mark="argocd.argoproj.io/hook", **more
):
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"generateName": stem, "annotations": {mark: MARKS[mark]}},
            "spec": {"image": image},
            **more,
        }
    )


MARKS = {"argocd.argoproj.io/hook": "PostSync", "helm.sh/hook": "post-install"}


@pytest.mark.parametrize("mark", MARKS)
def test_a_hook_without_a_name_gets_one_of_its_content(mark):
    [first], [same], [other] = (
        render(hook(image, mark=mark)) for image in ("a:1", "a:1", "a:2")
    )

    assert re.fullmatch(r"smoke-[0-9a-f]{8}", first.ref.name)
    assert first.ref == same.ref != other.ref
    assert "generateName" not in first.manifest["metadata"]


def test_a_generated_name_can_be_a_label_and_tells_nothing_of_a_secret():
    [long] = render(hook(stem="a" * 90))
    [first] = render(hook(kind="Secret", stringData={"password": "one"}))
    [other] = render(hook(kind="Secret", stringData={"password": "two"}))

    assert len(long.ref.name) == 63
    assert first.ref == other.ref
