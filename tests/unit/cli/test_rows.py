from contextlib import closing
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from rich.console import Console
from rich.text import Text

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.cli import rows
from gitops_wf.cli.ages import human
from gitops_wf.cli.description import folded, print_description
from gitops_wf.cli.table import Table, fitted, one_line, print_table
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import StepObject
from gitops_wf.ports.store import TargetRecord
from gitops_wf.services.approvals import Waiting
from tests.shop import NOW, POLICIES, PROD, fill, query


@pytest.fixture
def shop(tmp_path):
    return query(fill(tmp_path))


@pytest.fixture
def printed(capsys):
    def show(table, **more):
        print_table(table, **more)
        return capsys.readouterr().out

    return show


def test_environments_say_what_is_released_and_who_is_waited_for(shop, printed):
    assert printed(rows.environments(shop.environments(), NOW)) == (
        "NAME      RELEASED      NEWEST        READY     STATUS      AGE   MESSAGE\n"
        "prod      #1 aaaaaaaa   #3 cccccccc   Unknown   Suspended   7h    waits for go-live 0/1: any author\n"
        "staging   #1 cccccccc   #1 cccccccc   True      Succeeded   9h\n"
    )


def test_revisions_say_which_is_released_and_which_waits(shop, printed):
    assert printed(rows.revisions(shop.revisions(PROD), NOW)) == (
        "NAME     COMMIT     STATUS                WAITING                   AUTHOR   AGE   SUBJECT\n"
        "prod#3   cccccccc   Suspended             go-live 0/1: any author   Ann      7h    Change 3\n"
        "prod#2   bbbbbbbb   Failed/StepFailed                               Ann      8h    Change 2\n"
        "prod#1   aaaaaaaa   Succeeded, released                             Ann      9h    Change 1\n"
    )


def test_a_column_that_says_nothing_is_left_out(shop, printed):
    settled = [view for view in shop.revisions(PROD) if not view.waiting]

    assert printed(rows.revisions(settled, NOW)).splitlines()[0].split() == [
        *("NAME", "COMMIT", "STATUS", "AUTHOR", "AGE", "SUBJECT")
    ]


def test_history_says_who_approved_and_how_it_ended(shop, printed):
    assert printed(rows.history(shop.history(PROD), NOW)).splitlines()[2] == (
        "prod#2   bbbbbbbb   Failed/StepFailed     7h      Ann      bob@example.com   "
        "Change 2: deploy: Deployment/prod/web: ImagePullBackOff: no such image"
    )


def test_decisions_say_what_came_of_them(shop, printed):
    assert printed(rows.decisions(shop.decisions(PROD), NOW)) == (
        "REVISION   DECISION   STEP      BY                    EVIDENCE   COMMIT     EFFECT     AGE   REASON\n"
        "prod#3     approve    go-live   mallory@example.com   author     eeeeeeee   refused    60m   mallory@example.com is not among the approvers\n"
        "prod#2     approve    go-live   bob@example.com       author     dddddddd   accepted   40m\n"
    )


def test_events_come_as_flux_prints_them(shop, printed):
    assert printed(rows.events(shop.events(PROD), NOW), header=False) == (
        "60m         Normal    Created      prod#3   Change 3\n"
        "59m         Warning   StepFailed   prod#2   Failed\n"
        "30m         Normal    Suspended    prod#3   go-live\n"
    )


def test_a_description_says_what_waits_and_what_to_type(shop, capsys):
    print_description(shop.describe(PROD), NOW)

    lines = capsys.readouterr().out.splitlines()
    assert "Approval:     1 from any author" in lines
    assert "              no policy names approvers: any author may approve" in lines
    start = lines.index("go-live waits for approval: 0 of 1, for 30m")
    assert lines[start + 1 : start + 7] == [
        "  still needed: 1, from any author",
        "  without it the step ends in 3d",
        "  To approve:",
        "    gitops-wf approve prod --revision cccccccc --step go-live --push",
        "  or push this line to envs/prod/approvals.yaml, under approvals:",
        "    - {revision: '" + "c" * 40 + "', step: go-live, decision: approve}",
    ]


def test_a_failure_is_described_with_what_can_be_done_about_it(tmp_path, capsys):
    made = fill(tmp_path)
    store = open_store(made.store)
    with store.transaction() as transaction:
        run = transaction.active_run(PROD)
        ended = replace(run, phase=Phase.FAILED, seq=run.seq + 1)
        transaction.save_run(ended)
        revision = transaction.revision(PROD, 3)
        transaction.save_revision(replace(revision, phase=Phase.FAILED))
    store.close()

    print_description(query(made).describe(PROD), NOW)
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("To go on:")
    assert lines[start + 1 : start + 3] == [
        "  try it again:  gitops-wf retry prod --push",
        "  go back to #1: gitops-wf rollback prod --push",
    ]

    print_description(query(made).describe(PROD, 2), NOW)
    assert "To go on:" not in capsys.readouterr().out


def test_a_description_shows_what_a_step_did_to_its_objects(tmp_path, capsys):
    made = fill(tmp_path)
    store = open_store(made.store)
    with store.transaction() as transaction:
        run = transaction.active_run(PROD)
        web = StepObject(
            object="Deployment/shop/web",
            change="configured",
            health="InProgress",
            message="1 of 2 replicas ready",
        )
        step = replace(run.steps[0], objects=(web,))
        steps = (step, *run.steps[1:])
        transaction.save_run(replace(run, steps=steps, seq=run.seq + 1))
    store.close()

    description = query(made).describe(PROD)
    print_description(description, NOW)

    lines = capsys.readouterr().out.splitlines()
    start = lines.index(f"Objects that {run.steps[0].name} changed:")
    words = lines[start + 2].split()
    assert words[:3] == ["Deployment/shop/web", "configured", "InProgress"]
    assert lines[start + 2].endswith("1 of 2 replicas ready")
    assert description.run.as_json()["steps"][0]["objects"] == [asdict(web)]


def test_a_description_does_not_call_a_signed_approval_a_claim(tmp_path, capsys):
    strict = query(fill(tmp_path, POLICIES["two of three"]))

    print_description(strict.describe(PROD), NOW)

    out = capsys.readouterr().out
    assert (
        "Approval:     2 from ann@example.com, bob@example.com, eve@example.com;"
        " by a signed commit\n" in out
    )
    assert "claimed" not in out
    assert "any author" not in out


@pytest.mark.parametrize(
    ("approvals", "needed", "approvers", "expected"),
    [
        ((), 1, None, "any author"),
        ((), 1, ("ann", "bob"), "ann or bob"),
        (("Ann",), 2, ("ann", "bob", "eve"), "bob or eve"),
        (("ann",), 2, ("ann", "bob"), "bob"),
        ((), 2, ("ann", "bob"), "ann and bob"),
        ((), 1, (), "nobody is left who may"),
    ],
)
def test_who_is_missing_is_named(approvals, needed, approvers, expected):
    waiting = Waiting(step="s", approvals=approvals, needed=needed, approvers=approvers)

    assert rows.missing(waiting) == expected


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (timedelta(seconds=-5), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(seconds=121), "2m1s"),
        (timedelta(minutes=10), "10m"),
        (timedelta(hours=3), "3h"),
        (timedelta(hours=3, minutes=5), "3h5m"),
        (timedelta(hours=47), "47h"),
        (timedelta(days=2), "2d"),
        (timedelta(days=3, hours=4), "3d4h"),
        (timedelta(days=9, hours=4), "9d"),
    ],
)
def test_ages_are_short_as_kubectl_writes_them(span, expected):
    assert human(span) == expected


def test_text_of_others_cannot_move_the_cursor_or_break_a_line():
    assert one_line("a\x1b[31mb\r\nc\td") == "a [31mb c d"


def test_a_cell_is_cut_to_its_columns_wide_characters_counted():
    assert fitted("abcdef", 4) == "abc…"
    assert fitted("日本語版", 5) == "日本…"
    assert fitted("abcd", 4) == "abcd"


def test_only_the_last_column_is_cut_to_the_width():
    table = Table(headers=("NAME", "MESSAGE"), rows=[("a" * 30, "m" * 50)])

    assert table.lines(width=60)[1].plain == "a" * 30 + "   " + "m" * 26 + "…"
    assert table.lines(width=None)[1].plain.endswith("m" * 50)


def test_a_long_value_is_folded_in_its_own_column():
    out = Console(width=40, force_terminal=True, color_system=None)
    pair = Text(f"{'Status:':<14}the image cannot be pulled from there")

    assert [line.plain for line in folded(pair, out)] == [
        "Status:       the image cannot be pulled",
        "              from there",
    ]
    piped = Console(width=40, force_terminal=False)
    assert [line.plain for line in folded(pair, piped)] == [pair.plain]


def test_targets_say_whether_they_answer_and_since_when_not(tmp_path, printed):
    made = fill(tmp_path)
    with closing(open_store(made.store)) as store, store.transaction() as transaction:
        minutes = timedelta(minutes=1)
        gone = TargetRecord(
            name=TargetName("prod"),
            answered=NOW - 13 * minutes,
            compared=NOW - 14 * minutes,
            away=NOW - 12 * minutes,
            error="API server x unreachable: no answer in time",
        )
        transaction.save_target(gone)

    shop = query(made)
    text = printed(rows.targets(shop.targets(), NOW))

    header, prod, staging = (line.split() for line in text.splitlines())
    assert header[-1] == "MESSAGE"
    assert "False 13m ago 14m ago" in " ".join(prod)
    assert " ".join(prod).endswith(
        "not answered for 12m: API server x unreachable: no answer in time"
    )
    assert staging[:4] == ["staging", "sandbox", "staging", "Unknown"]
    away = {view.target.name: view.as_json() for view in shop.targets()}["prod"]
    assert (away["ready"], away["error"]) == (False, gone.error)
    assert away["unreachableSince"] is not None


def test_what_a_run_delivered_is_printed_as_an_approval_pins_it(shop, printed):
    run = shop.describe(PROD).run.run
    assert rows.digests(run).rows == []
    seen = f"sha256:{'1' * 64}"
    first, *others = run.steps

    made = replace(run, steps=(replace(first, digest=seen), *others))

    assert printed(rows.digests(made)).splitlines()[1].split() == [first.name, seen]
