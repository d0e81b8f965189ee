"""What an environment is made of, and the digest that tells it apart."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from gitops_wf.core.commit import TreeEntry
from gitops_wf.core.inputs import inputs_digest, is_decision_path, is_ignored

A, B = "a" * 40, "b" * 40
NOTHING: Mapping = MappingProxyType({})


def entry(path: str, oid: str = A, mode: int = 0o100644) -> TreeEntry:
    return TreeEntry(path=path, mode=mode, oid=oid)


def digest(
    *entries: TreeEntry, ignore=("*.md",), watched=(), targets=(), given=NOTHING
) -> str:
    return inputs_digest(
        entries, ignore=ignore, watched=watched, targets=targets, given=given
    )


WEB = entry("web.yaml")


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("approvals.yaml", True),
        ("approvals/ann.yaml", True),
        ("approvals/deep/ann.yaml", False),
        ("approvals/notes.txt", False),
        ("approvals.yml", False),
        ("deep/approvals.yaml", False),
        ("environment.yaml", False),
        ("workflow.yaml", False),
    ],
)
def test_decisions_stand_in_one_file_or_directly_in_its_folder(path, is_one):
    assert is_decision_path(path) is is_one


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("README.md", True),
        ("docs/notes.md", True),
        ("web.yaml", False),
        ("README.md.yaml", False),
        ("drafts/web.yaml", True),
    ],
)
def test_what_matches_a_pattern_by_name_or_path_is_ignored(path, ignored):
    assert is_ignored(path, ("*.md", "drafts/*")) is ignored


@pytest.mark.parametrize(
    "more", ["approvals.yaml", "approvals/ann.yaml", "README.md", "docs/x.md"]
)
def test_decisions_and_readmes_are_no_inputs(more):
    assert digest(WEB, entry(more)) == digest(WEB)


@pytest.mark.parametrize(
    "other",
    [
        digest(),
        digest(entry("web.yaml", B)),
        digest(entry("api.yaml")),
        digest(entry("web.yaml", mode=0o100755)),
        digest(entry("web.yaml", mode=0o120000)),
        digest(WEB, entry("workflow.yaml")),
        digest(WEB, entry("approvals/deep/x.yaml")),
        digest(WEB, watched=[("base", A)]),
        digest(WEB, watched=[("base", None)]),
        digest(WEB, targets=["eu"]),
        digest(WEB, given={"eu": {"region": "eu-1"}}),
    ],
)
def test_every_other_change_changes_the_digest(other):
    assert other != digest(WEB)


def test_a_watched_path_counts_by_its_content_and_whether_it_is_there():
    digests = {digest(WEB, watched=[("base", oid)]) for oid in (A, B, None)}

    assert len(digests) == 3


def test_the_order_in_which_watched_paths_are_named_does_not_count():
    one, two = ("base", A), ("libs", B)

    assert digest(WEB, watched=[one, two]) == digest(WEB, watched=[two, one])


def test_the_order_of_targets_counts_since_they_are_delivered_to_in_order():
    assert digest(WEB, targets=["eu", "us"]) != digest(WEB, targets=["us", "eu"])


def test_names_cannot_be_made_to_look_like_others():
    forged = entry(f"web.yaml\nwatch {A} base")

    assert digest(forged) != digest(WEB, watched=[("base", A)])
    one, two = {"a": "1", "b": "2"}, {"a": '1", "b": "2'}
    assert digest(WEB, given={"eu": one}) != digest(WEB, given={"eu": two})


def test_a_path_that_is_not_utf_8_has_a_digest():
    assert digest(entry("caf\udce9.yaml")) != digest(entry("café.yaml"))
