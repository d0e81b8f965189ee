from datetime import UTC, datetime

import pytest

from gitops_wf.core.commit import (
    CommitInfo,
    EntryKind,
    Person,
    TreeEntry,
    entry_kind,
)

ANN = Person(name="Ann", email="ann@example.com")
AT = datetime(2026, 1, 1, tzinfo=UTC)


def a_commit(body="", trailers=(), parents=()):
    return CommitInfo(
        sha="a" * 40,
        parents=parents,
        tree="b" * 40,
        author=ANN,
        authored_at=AT,
        committer=ANN,
        committed_at=AT,
        subject="S",
        body=body,
        trailers=trailers,
    )


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (0o100644, EntryKind.FILE),
        (0o100664, EntryKind.FILE),
        (0o100755, EntryKind.EXECUTABLE),
        (0o120000, EntryKind.SYMLINK),
        (0o160000, EntryKind.SUBMODULE),
    ],
)
def test_a_mode_tells_the_kind_of_an_entry(mode, kind):
    assert entry_kind(mode) is kind
    assert TreeEntry(path="a", mode=mode, oid="c" * 40).kind is kind


def test_co_authors_are_read_from_trailers_and_malformed_ones_left_out():
    commit = a_commit(
        trailers=(
            ("Co-authored-by", "Bob B <bob@example.com>"),
            ("co-AUTHORED-by", "<cyd@example.com>"),
            ("Co-authored-by", "nobody"),
            ("Signed-off-by", "Dan <dan@example.com>"),
        )
    )

    assert commit.co_authors == (
        Person(name="Bob B", email="bob@example.com"),
        Person(name="", email="cyd@example.com"),
    )


def test_the_last_source_commit_counts():
    trailers = (("Source-Commit", "shop@1"), ("Source-Commit", "shop@2"))

    assert a_commit(trailers=trailers).source_commit == "shop@2"
    assert a_commit().source_commit is None


def test_reverts_are_claims_by_full_ids_only():
    one, two = "1" * 40, "e" * 64
    body = f"This reverts commit {one}, reversing\nchanges made to {two}.\n"
    body += f"This reverts commit {two}.\nThis reverts commit 1234567."

    assert a_commit(body).claims_to_revert == (one, two)


def test_a_merge_has_more_than_one_parent():
    assert a_commit(parents=("1" * 40, "2" * 40)).is_merge
    assert not a_commit(parents=("1" * 40,)).is_merge


def test_a_person_prints_as_git_writes_one():
    assert str(ANN) == "Ann <ann@example.com>"
