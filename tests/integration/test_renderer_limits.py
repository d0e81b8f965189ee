"""What is made to eat memory is refused, with the file and the mend.

Real Git, the real store and the real rendering; `tracemalloc` is the witness for
memory, and a second environment for everybody else.
"""

import os
import tracemalloc

import pytest

from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.bootstrap.targets import open_target
from gitops_wf.core.config import TargetConfig, TargetKind
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.yaml_text import read_manifests
from tests.releases import ReleaseLine

MIB = 1024 * 1024
MANY = int(os.environ.get("GITOPS_WF_MANY_FILES", "20000"))
MOST = 200 * MIB
"""What refusing may take at most; what is refused would take gigabytes."""

PLAIN = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps: [{name: deploy, type: deploy2env}]
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}\n"


def bomb(depth: int = 9) -> str:
    """A billion laughs."""
    lines = ["l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [
        f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, depth + 1)
    ]
    return "\n".join(lines) + "\n"


def many_values(count: int) -> str:
    return CONFIG_MAP + "list:\n" + "- 1\n" * count


REFUSED = {
    "bomb": ({"a.yaml": bomb()}, "a.yaml:"),
    "aliases": (
        {"a.yaml": "a: &a 1\nb: [" + "*a, " * 2_000 + "]\n"},
        "a.yaml:2: has more than 1000 aliases",
    ),
    "deep": ({"a.yaml": "a: " + "[" * 5_000 + "]" * 5_000}, "a.yaml:1: "),
    "values": ({"a.yaml": many_values(600_000)}, "a.yaml:"),
    "documents": ({"a.yaml": "---\na: 1\n" * 6_000}, "more than 5000 documents"),
    "huge": ({"a.yaml": b"#" * (200 * MIB)}, "a.yaml: has 209715200 bytes, more than"),
    "folder": (
        {f"{n}.yaml": f"# {n}\n".encode() + b"#" * (7 * MIB) for n in range(6)},
        "its files have more than 33554432 bytes in all, at 4.yaml; split the",
    ),
    "repeated": (
        {f"{n:03}.yaml": b"#" * MIB for n in range(40)},
        "its files have more than 33554432 bytes in all, at 032.yaml; split the",
    ),
}


@pytest.fixture
def line(tmp_path):
    folder = TargetConfig(
        name=TargetName("folder"),
        kind=TargetKind.DIRECTORY,
        path=str(tmp_path / "folder"),
    )
    made = ReleaseLine(
        tmp_path,
        targets=("folder",),
        catalogue=EntryPointCatalogue(),
        capabilities={
            "clusters": ConfiguredClusters({folder.name: folder}, open_target),
            "manifests": read_manifests,
            "digest_key": Secret("key"),
        },
    )
    yield made
    made.close()


def peak_of(work) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_folder_made_to_explode_is_refused_in_bounded_memory(line, name):
    files, words = REFUSED[name]
    line.commit(
        {
            **{f"envs/bad/{path}": data for path, data in files.items()},
            "envs/bad/workflow.yaml": PLAIN,
            "envs/good/workflow.yaml": PLAIN,
            "envs/good/web.yaml": CONFIG_MAP,
        }
    )

    peak = peak_of(line.settle)

    (revision,) = line.revisions("bad")
    assert line.phases("bad") == ["Failed/InvalidDefinition"]
    assert words in revision.message
    assert line.phases("good") == ["Succeeded"]
    assert peak < MOST


def test_very_many_files_are_refused_by_their_number(line):
    """`GITOPS_WF_MANY_FILES=100000` makes them a hundred thousand."""
    blob = line.work.git("hash-object", "-w", "--stdin", stdin=CONFIG_MAP.encode())
    flow = line.work.git("hash-object", "-w", "--stdin", stdin=PLAIN.encode())
    entries = "".join(f"100644 blob {blob}\tf{n:06}.yaml\n" for n in range(MANY))
    entries += f"100644 blob {flow}\tworkflow.yaml\n"
    tree = line.work.git("mktree", stdin=entries.encode())
    line.commit(
        {"envs/good/workflow.yaml": PLAIN, "envs/good/web.yaml": CONFIG_MAP}, "First"
    )
    line.work.git("read-tree", "--prefix=envs/many/", tree)
    line.work.git("commit", "-q", "-m", "Many")
    line.work.push()

    peak = peak_of(line.settle)

    (revision,) = line.revisions("many")
    assert line.phases("many") == ["Failed/InvalidDefinition"]
    assert f"envs/many: has {MANY + 1} files, more than 10000" in revision.message
    assert line.phases("good") == ["Succeeded"]
    assert peak < MOST
