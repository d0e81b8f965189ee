from hypothesis import given
from hypothesis import strategies as st

from gitops_wf.adapters.git_cli.history import descending_chain, parsed_log


@st.composite
def graphs(draw):
    """Parents by commit, children first, as `rev-list --parents` gives a history."""
    size = draw(st.integers(min_value=1, max_value=12))
    parents = {}
    for n in reversed(range(size)):
        earlier = (
            st.lists(st.integers(0, n - 1), max_size=3, unique=True)
            if n
            else st.just([])
        )
        parents[str(n)] = tuple(str(p) for p in draw(earlier))
    return parents


def reaches(parents, start, goal):
    pending, seen = [start], set()
    while pending:
        at = pending.pop()
        if at == goal:
            return True
        if at not in seen:
            seen.add(at)
            pending += parents[at]
    return False


@given(graphs(), st.data())
def test_the_chain_is_the_first_parents_that_reach_the_cursor(parents, data):
    head = data.draw(st.sampled_from(sorted(parents)))
    since = data.draw(st.sampled_from(sorted(parents)))
    within = {
        sha: above
        for sha, above in parents.items()
        if reaches(parents, head, sha) and not reaches(parents, since, sha)
    }

    chain = descending_chain(within, since, head)

    if not reaches(parents, head, since):
        assert chain is None
        return
    expected, at = [], head
    while at is not None and at != since and reaches(parents, at, since):
        expected.insert(0, at)
        at = next(iter(parents[at]), None)
    assert chain == tuple(expected)


def record(**fields):
    values = {
        "sha": "a" * 40, "parents": "", "tree": "b" * 40, "an": "Ann", "ae": "ann@x", "at": "0",
        "cn": "Bob", "ce": "bob@x", "ct": "0", "trailers": "", "subject": "S", "body": "",
    } | fields  # fmt: skip
    return "\n".join(values.values()).encode() + b"\0"


def test_a_message_may_hold_anything_but_the_record_mark():
    (commit,) = parsed_log(record(body="line\n\nTrailer: no\n\x1e\x1f\n"))

    assert commit.body == "line\n\nTrailer: no\n\x1e\x1f"
    assert commit.trailers == ()


def test_a_date_that_no_calendar_has_is_clamped_and_an_empty_one_is_the_epoch():
    late, none = parsed_log(record(at="9" * 18) + record(at=""))

    assert late.authored_at.year == 9999
    assert none.authored_at.year == 1970
