"""Commit graphs as people make them, walked and compared by the Git port."""

from datetime import UTC, datetime

import pytest

from gitops_wf.core.commit import Person
from gitops_wf.ports.git import FetchResult
from tests.contract.git_remotes import served
from tests.gitserver import BOB, GitWorkTree


@pytest.fixture
def shop(tmp_path):
    with served(tmp_path, "path") as place:
        yield place


@pytest.fixture
def ann(shop):
    return shop.work


@pytest.fixture
def bob(shop, ann, tmp_path):
    ann.push_commit({"README": "1"}, "Root")
    return GitWorkTree.clone(str(shop.bare), tmp_path / "bob", author=BOB)


def fetched(shop):
    repository = shop.open()
    repository.fetch()
    return repository


def subjects(commits):
    return [commit.subject for commit in commits]


def test_pull_then_push_a_merge_walks_only_what_contains_the_deployed_commit(
    shop, ann, bob
):
    bob.commit({"b": "1"}, "Bob's own")
    deployed = ann.push_commit({"a": "1"}, "Deployed")
    bob.pull()
    merge = bob.push()

    with fetched(shop) as repository:
        assert [c.sha for c in repository.walk(deployed, merge).commits] == [merge]
        assert subjects(repository.commits_between(deployed, merge)) == [
            "Bob's own",
            repository.commit(merge).subject,
        ]


def test_a_merge_whose_way_to_the_cursor_leads_through_its_second_parent_is_walked(
    shop, ann, bob
):
    bob.commit({"b": "1"}, "Bob's own")
    deployed = ann.push_commit({"a": "1"}, "Deployed")
    ann.push_commit({"a": "2"}, "Not yet polled")
    bob.pull()
    bob.commit({"b": "2"}, "On top")
    head = bob.push()

    with fetched(shop) as repository:
        commits = repository.walk(deployed, head).commits
        assert [c.is_merge for c in commits] == [True, False]
        assert commits[-1].sha == head


def test_a_merged_branch_is_one_step_of_the_walk(shop, ann):
    base = ann.push_commit({"a": "1"}, "Base")
    ann.branch("feature")
    ann.commit({"f": "1"}, "Feature 1", author=BOB)
    ann.commit({"f": "2"}, "Feature 2", author=BOB)
    ann.checkout("main")
    ann.commit({"a": "2"}, "Main")
    ann.merge("feature", message="Merge feature")
    head = ann.push()

    with fetched(shop) as repository:
        assert subjects(repository.walk(base, head).commits) == [
            "Main",
            "Merge feature",
        ]
        between = subjects(repository.commits_between(base, head))
        assert between[-1] == "Merge feature"
        assert between.index("Feature 1") < between.index("Feature 2")
        assert set(between) == {"Main", "Merge feature", "Feature 1", "Feature 2"}


def test_an_octopus_merge_is_walked_with_all_its_parents(shop, ann):
    base = ann.push_commit({"a": "1"}, "Base")
    for name in ("one", "two", "three"):
        ann.git("checkout", "-q", "-b", name, base)
        ann.commit({name: "1"}, name)
    ann.checkout("main")
    head = ann.merge("one", "two", "three", message="Octopus")
    ann.push()

    with fetched(shop) as repository:
        (commit,) = repository.walk(base, head).commits
        assert len(commit.parents) == 4
        assert set(subjects(repository.commits_between(base, head))) == {
            "one", "two", "three", "Octopus",
        }  # fmt: skip


def test_the_walk_from_nothing_starts_at_the_root_and_from_the_head_is_empty(shop, ann):
    ann.commit({"a": "1"}, "One")
    ann.commit({"a": "2"}, "Two")
    head = ann.push()

    with fetched(shop) as repository:
        assert subjects(repository.walk(None, head).commits) == ["One", "Two"]
        assert repository.walk(head, head).commits == ()
        assert not repository.walk(head, head).is_rewritten


def test_a_cursor_that_is_not_in_the_clone_means_rewritten(shop, ann):
    head = ann.push_commit({"a": "1"})

    with fetched(shop) as repository:
        walk = repository.walk("f" * 40, head)
        assert (walk.is_rewritten, walk.merge_base) == (True, None)


def test_a_thousand_commits_are_walked_and_compared_in_one_go(shop, ann):
    first = ann.commit({"envs/e0/a": "0"}, "Start")
    shas = ann.import_commits([(f"envs/e{n % 50}/a", f"{n}") for n in range(1, 1001)])
    ann.push(refspec="main:main")

    with fetched(shop) as repository:
        commits = repository.walk(first, shas[-1]).commits
        pairs = [(commit.parents[0], commit.sha) for commit in commits]
        changes = repository.changes_of(pairs)

        assert [commit.sha for commit in commits] == shas
        assert [[c.path for c in change] for change in changes] == [
            [f"envs/e{n % 50}/a"] for n in range(1, 1001)
        ]


def test_commits_between_with_paths_are_those_that_could_introduce_something(shop, ann):
    base = ann.push_commit(
        {"envs/prod/approvals.yaml": "approvals: []", "a": "1"}, "Base"
    )
    ann.branch("side")
    ann.commit(
        {"envs/prod/approvals.yaml": "approvals: [x]"}, "Approve on a side", author=BOB
    )
    ann.checkout("main")
    ann.commit({"a": "2"}, "Elsewhere")
    ann.merge("side", message="Merge side")
    ann.commit({"envs/prod/approvals/bob.yaml": "approvals: [y]"}, "A file of its own")
    head = ann.push()

    with fetched(shop) as repository:
        paths = ["envs/prod/approvals.yaml", "envs/prod/approvals"]
        found = repository.commits_between(base, head, paths=paths)
        introducing = ["Approve on a side", "A file of its own"]
        assert [s for s in subjects(found) if s != "Merge side"] == introducing


def test_a_merge_that_adds_what_no_parent_has_is_found_by_path(shop, ann):
    base = ann.push_commit({"x": "1"}, "Base")
    ann.branch("side")
    ann.commit({"s": "1"}, "Side")
    ann.checkout("main")
    ann.commit({"a": "2"}, "Main")
    ann.merge("side", message="Evil merge", files={"x": "smuggled"})
    head = ann.push()

    with fetched(shop) as repository:
        found = repository.commits_between(base, head, paths=["x"])
        assert subjects(found) == ["Evil merge"]


def test_paths_are_literal_even_when_they_look_like_patterns(shop, ann):
    base = ann.push_commit({"a": "1"}, "Base")
    ann.commit({"envs/[x]/f": "1"}, "Brackets")
    ann.commit({"envs/x/f": "1"}, "Plain")
    ann.commit({":(top)": "1"}, "Magic")
    head = ann.push()

    with fetched(shop) as repository:
        assert subjects(repository.commits_between(base, head, paths=["envs/[x]"])) == [
            "Brackets"
        ]
        assert subjects(repository.commits_between(base, head, paths=[":(top)"])) == [
            "Magic"
        ]


def test_the_root_among_paths_is_everything(shop, ann):
    base = ann.push_commit({"a": "1"}, "Base")
    ann.commit({"envs/x/f": "1"}, "Deep")
    head = ann.push_commit({"b": "1"}, "Top")

    with fetched(shop) as repository:
        found = repository.commits_between(base, head, paths=["", "envs/x"])
        assert subjects(found) == ["Deep", "Top"]


def test_paths_that_no_command_line_takes_leave_nothing_out(shop, ann):
    base = ann.push_commit({"a": "1"}, "Base")
    head = ann.push_commit({"envs/x/f": "1"}, "Change")
    paths = ["envs/x", "a" * 200_000]

    with fetched(shop) as repository:
        assert "Change" in subjects(repository.commits_between(base, head, paths=paths))
        assert head in repository.first_parents(head, paths)


def test_changes_are_by_content_with_renames_as_delete_and_add(shop, ann):
    old = ann.commit({"a": "same", "keep": "1", "gone": "2"}, "Old")
    ann.git("mv", "a", "b")
    new = ann.commit({"gone": None, "keep": "changed"}, "New")
    ann.push()

    with fetched(shop) as repository:
        changes = {
            c.path: (c.old_oid is None, c.new_oid is None)
            for c in repository.changes(old, new)
        }
        assert changes == {
            "a": (False, True), "b": (True, False), "gone": (False, True), "keep": (False, False),
        }  # fmt: skip
        assert repository.changes(old, old) == ()
        assert {c.path for c in repository.changes(None, old)} == {"a", "gone", "keep"}


def test_ancestry_and_merge_bases_are_answered_for_related_and_unrelated_commits(
    shop, ann
):
    base = ann.push_commit({"a": "1"}, "Base")
    ann.branch("side")
    side = ann.commit({"s": "1"}, "Side")
    ann.git("checkout", "-q", "--orphan", "island")
    ann.git("rm", "-r", "-f", "-q", ".")
    island = ann.commit({"i": "1"}, "Island")
    ann.checkout("main")
    main = ann.commit({"a": "2"}, "Main")
    ann.merge("side")
    ann.git("merge", "-q", "--allow-unrelated-histories", "-m", "Found", "island")
    head = ann.push()

    with fetched(shop) as repository:
        assert repository.is_ancestor(base, head)
        assert repository.is_ancestor(head, head)
        assert not repository.is_ancestor(head, base)
        assert repository.merge_base(side, main) == base
        assert repository.merge_base(side, island) is None


def test_a_prefix_resolves_to_every_commit_that_it_could_mean(shop, ann):
    ann.commit({"a": "0"})
    shas = ann.import_commits([("a", str(n)) for n in range(1, 600)])
    ann.push(refspec="main:main")
    prefixes = [sha[:4] for sha in shas]
    digits = next(sha for sha in shas if sha[:4].isdigit())

    with fetched(shop) as repository:
        for prefix in {prefixes[0], max(prefixes, key=prefixes.count), digits[:4]}:
            expected = {sha for sha in shas if sha.startswith(prefix)}
            assert set(repository.resolve(prefix)) == expected
        assert repository.resolve(digits) == (digits,)
        assert repository.resolve("0000000000") == ()
        assert repository.resolve("abc") == ()
        assert repository.resolve("HEAD") == ()
        assert repository.resolve("--all") == ()


def test_a_commit_tells_people_dates_and_trailers(shop, ann):
    sha = ann.commit(
        {"a": "1"},
        "Deploy web 1.2\n\nBecause.\n\nThis reverts commit " + "ab" * 20 + ".\n\n"
        "Co-authored-by: Cyd <cyd@example.com>\nco-authored-by: Dan <dan@example.com>\n"
        "Co-authored-by: nobody\nSource-Commit: shop@0123abc\n",
        author=BOB,
        committer="Merge Queue <bot@example.com>",
        date=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    )
    ann.push()

    with fetched(shop) as repository:
        commit = repository.commit(sha)
        assert commit.author == Person(name="Bob", email="bob@example.com")
        assert commit.committer == Person(name="Merge Queue", email="bot@example.com")
        assert commit.authored_at == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
        assert commit.subject == "Deploy web 1.2"
        assert commit.body.startswith("Because.")
        assert [p.email for p in commit.co_authors] == [
            "cyd@example.com",
            "dan@example.com",
        ]
        assert commit.source_commit == "shop@0123abc"
        assert commit.claims_to_revert == ("ab" * 20,)


def test_a_revert_of_a_merge_says_what_it_reverts(shop, ann):
    ann.push_commit({"a": "1"})
    ann.branch("side")
    ann.commit({"s": "1"})
    ann.checkout("main")
    ann.commit({"m": "1"})
    merge = ann.merge("side")
    revert = ann.revert(merge, mainline=1)
    ann.push()

    with fetched(shop) as repository:
        assert repository.commit(revert).claims_to_revert == (merge,)
        assert repository.tree_oid(revert, "s") is None


def test_many_commits_come_in_the_order_asked_for_with_repeats(shop, ann):
    one, two = ann.commit({"a": "1"}, "One"), ann.commit({"a": "2"}, "Two")
    ann.push()

    with fetched(shop) as repository:
        assert subjects(repository.commits([two, one, two])) == ["Two", "One", "Two"]
        assert repository.commits([]) == ()


@pytest.mark.parametrize("sha", ["f" * 40, "HEAD", "main", "--all", "", "a" * 39])
def test_what_is_no_commit_here_is_a_key_error(shop, ann, sha):
    head = ann.push_commit({"a": "1"})

    with fetched(shop) as repository:
        blob = repository.tree_oid(head, "a")
        assert not repository.has_commit(sha)
        for ask in (
            repository.commit,
            repository.tree,
            lambda s: repository.changes(s, head),
        ):
            if sha or ask is not repository.changes:
                with pytest.raises(KeyError):
                    ask(sha or " ")
        with pytest.raises(KeyError):
            repository.commit(blob)


def test_bytes_that_are_not_utf8_in_paths_and_messages_do_no_harm(shop, ann):
    name = b'caf\xe9\n"quoted"\t\'x'
    (ann.path / name.decode("utf-8", "surrogateescape")).write_bytes(b"1")
    ann.git("add", "-A")
    ann.git("config", "i18n.commitEncoding", "latin-1")
    tree = ann.git("write-tree")
    raw = (
        f"tree {tree}\nauthor A\x00".encode().rstrip(b"\0")
        + b"nn\xff <ann@example.com> 1 +0000\ncommitter Ann <ann@example.com> 99999999999999999 +0000\n\n"
        b"Caf\xe9 subject\n\nbody \xff\n"
    )
    sha = ann.git(
        "hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=raw
    )
    ann.git("update-ref", "refs/heads/main", sha)
    ann.git(
        "config", "--file", str(shop.bare / "config"), "receive.fsckObjects", "false"
    )
    ann.push(refspec="main:main")

    with fetched(shop) as repository:
        path = name.decode("utf-8", "surrogateescape")
        commit = repository.commit(sha)
        assert commit.subject.startswith("Caf")
        assert commit.author.email == "ann@example.com"
        assert [e.path for e in repository.tree(sha).entries] == [path]
        assert [c.path for c in repository.changes(None, sha)] == [path]
        assert repository.tree_oid(sha, path) is not None


def test_faults_of_old_tools_that_do_no_harm_are_taken(shop, ann):
    blob = ann.git("hash-object", "-w", "--stdin", stdin=b"x")
    raw_tree = b"0100644 a\0" + bytes.fromhex(blob)
    literally = ("hash-object", "-w", "--stdin", "--literally", "-t")
    tree = ann.git(*literally, "tree", stdin=raw_tree)
    raw = (
        f"tree {tree}\nauthor Ann <ann> 1 +051800\ncommitter Ann<a@b> 1 +0000\n\nOld\n"
    )
    sha = ann.git(*literally, "commit", stdin=raw.encode())
    ann.git("update-ref", "refs/heads/main", sha)
    ann.push(refspec="main:main")

    with fetched(shop) as repository:
        assert repository.head() == sha
        assert [e.path for e in repository.tree(sha).entries] == ["a"]
        assert repository.commit(sha).subject == "Old"


def test_a_repository_with_sha256_ids_is_read_like_any_other(shop, tmp_path):
    (tmp_path / "long").mkdir()
    work = GitWorkTree(tmp_path / "long")
    work.git("init", "-q", "--object-format=sha256", "--initial-branch=main")
    first = work.commit({"envs/prod/a": "1"}, "First")
    second = work.commit({"envs/prod/a": "2"}, "Second")

    with shop.open(url=str(work.path)) as repository:
        assert repository.fetch() == FetchResult(old=None, new=second)
        assert subjects(repository.walk(first, second).commits) == ["Second"]
        (change,) = repository.changes(first, second)
        repository.ensure_blobs([change.new_oid])
        assert repository.blob(change.new_oid, max_bytes=9) == b"2"
        repository.hold({"a": first})
        assert repository.resolve(first[:12]) == (first,)


def test_history_says_which_commit_of_the_branch_brought_what_touches_a_path(shop, ann):
    root = ann.push_commit({"envs/a/approvals.yaml": "1", "b": "1"}, "Root")
    ann.branch("side")
    other = ann.commit({"b": "2"}, "Of no interest")
    one = ann.commit({"envs/a/approvals/one.yaml": "1"}, "One")
    two = ann.commit({"envs/a/approvals/one.yaml": "2"}, "Two")
    ann.checkout("main")
    direct = ann.commit({"c": "1"}, "Direct")
    merge = ann.merge("side")
    last = ann.commit({"approvals.yaml": "1"}, "Last")
    ann.push()

    with fetched(shop) as repository:
        found = repository.history(
            last, touching=("**/approvals.yaml", "**/approvals/*.yaml")
        )

        assert found.chain == (root, direct, merge, last)
        assert list(found.brought.items()) == [
            (root, (root,)),
            (merge, (one, two, merge)),
            (last, (last,)),
        ]
        assert other not in found.brought
        assert repository.history(last).brought == {}


def test_first_parents_name_what_changed_a_path_against_the_branch_before(shop, ann):
    root = ann.push_commit({"envs/[a]/x": "1", "b": "1"}, "Root")
    ann.branch("side")
    ann.commit({"envs/[a]/x": "2"}, "On the side")
    ann.checkout("main")
    ann.commit({"b": "2"}, "Elsewhere")
    merge = ann.merge("side")
    same = ann.commit({"b": "3", "envs/a/x": "globs are not meant"}, "Elsewhere")
    ann.push()

    with fetched(shop) as repository:
        assert repository.first_parents(same, ["envs/[a]"]) == (merge, root)
        assert len(repository.first_parents(same, ["envs/[a]", ""])) == 4
