import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.cli.main import run
from gitops_wf.cli.place import Told
from gitops_wf.core.decision import Effect
from tests.shop import PROD, fill, sha


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working directory in which `run --sandbox` has been."""
    directory = tmp_path / ".gitops-wf"
    directory.mkdir()
    fill(directory)
    Told(directory=directory, repository=tmp_path / "shop").remember()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITOPS_WF_CONFIG", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "what",
    [
        *("environments", "revisions", "runs", "decisions", "targets"),
        *("inventory", "repositories"),
    ],
)
def test_every_list_is_printed_as_table_json_and_yaml(gitops_wf, what):
    table = gitops_wf("get", what)
    as_json = gitops_wf("get", what, "-o", "json")
    as_yaml = gitops_wf("get", what, "-o", "yaml")

    assert table.code == as_json.code == as_yaml.code == 0
    assert len(table.out.splitlines()) == 1 + len(as_json.json)
    assert yaml.safe_load(as_yaml.out) == as_json.json
    assert as_json.json


def test_revisions_of_one_environment_come_newest_first(gitops_wf):
    rows = gitops_wf("get", "revisions", "prod", "-o", "json").json

    assert [(row["environment"], row["number"]) for row in rows] == [
        ("prod", 3),
        ("prod", 2),
        ("prod", 1),
    ]
    assert [row["released"] for row in rows] == [False, False, True]


def test_a_list_can_be_without_header_and_short(gitops_wf):
    result = gitops_wf("get", "revisions", "prod", "--no-header", "--limit", "1")

    assert [line.split()[0] for line in result.out.splitlines()] == ["prod#3"]


def test_runs_of_one_revision_are_asked_for_by_its_number(gitops_wf):
    rows = gitops_wf("get", "runs", "prod#2", "-o", "json").json

    assert [(row["number"], row["run"]) for row in rows] == [(2, 1)]


def test_the_singular_and_short_forms_mean_the_lists(gitops_wf):
    for short, long in (("env", "environments"), ("repository", "repositories")):
        expected = gitops_wf("get", long, "-o", "json").out
        assert gitops_wf("get", short, "-o", "json").out == expected


def test_a_description_is_a_page_or_json(gitops_wf):
    page = gitops_wf("describe", "prod")
    told = gitops_wf("describe", "shop/prod#2", "-o", "json").json

    assert "gitops-wf approve prod --revision cccccccc" in page.out
    assert told["revision"]["number"] == 2
    assert told["run"]["steps"][1]["reason"] == "HealthCheckFailed"


def test_history_names_the_approvers(gitops_wf):
    rows = gitops_wf("history", "prod", "-o", "json").json

    assert [row["approvedBy"] for row in rows] == [[], ["bob@example.com"], []]


def test_events_come_oldest_first(gitops_wf):
    rows = gitops_wf("events", "prod", "-o", "json").json

    assert [row["kind"] for row in rows] == ["created", "failed", "suspended"]
    assert rows[0]["at"].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("prod#1",), 0),
        (("prod#2",), 1),
        (("prod", "--revision", sha("a")[:8]), 0),
        (("prod", "--number", "2", "--for", "ended"), 0),
        (("prod", "--for", "suspended"), 0),
        (("prod#2", "--for", "suspended"), 1),
        (("prod#1", "--for", "released"), 0),
        (("prod", "--timeout", "1ms"), 124),
        (("prod", "--revision", "f" * 40, "--timeout", "1ms"), 124),
        (("prod", "--timeout", "soon"), 2),
        (("prod", "--revision", "cccc"), 2),
        (("prod#2", "--revision", sha("b")), 2),
    ],
)
def test_waiting_ends_with_a_code_that_says_how(gitops_wf, arguments, code):
    assert gitops_wf("wait", *arguments).code == code


def test_a_terminal_shows_where_a_wait_ended_once(gitops_wf, monkeypatch):
    waiting = ("wait", "prod", "--timeout", "1ms")
    piped = gitops_wf(*waiting)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = gitops_wf(*waiting)

    assert piped.out in piped.err
    assert (shown.out, shown.err) == ("", piped.err)


def test_the_version_is_asked_for_by_an_option_and_by_a_command(gitops_wf):
    by_command = gitops_wf("version")

    assert by_command.code == 0
    for option in ("--version", "-V"):
        assert gitops_wf(option) == by_command


def test_an_unknown_environment_is_an_error_of_one_line(gitops_wf):
    result = gitops_wf("describe", "prd")

    assert result.code == 1
    assert result.err == "gitops-wf: no environment prd; did you mean prod?\n"


def test_wrong_usage_ends_with_2(gitops_wf):
    assert gitops_wf("get", "revisions", "--output", "xml").code == 2
    assert gitops_wf("describe", "prod#x").code == 2
    assert gitops_wf("frobnicate").code == 2


def test_without_a_daemon_here_the_ways_to_name_one_are_told(
    gitops_wf, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    result = gitops_wf("get", "environments")

    assert result.code == 1
    assert "--config FILE" in result.err
    assert "GITOPS_WF_CONFIG" in result.err


def test_a_store_that_is_not_there_is_an_error_that_says_what_makes_it(gitops_wf, here):
    (here / ".gitops-wf" / "gitops-wf.db").unlink()

    result = gitops_wf("get", "environments")

    assert result.code == 1
    assert "gitops-wf run" in result.err


def test_a_bug_ends_with_3_and_names_the_log(capsys):
    def broken(**_):
        raise RuntimeError("not thought of")

    code = run(["get", "x"], broken)

    err = capsys.readouterr().err
    log = Path(err.split("the details are in ")[1].split(";")[0])
    assert code == 3
    assert "RuntimeError: not thought of" in err
    assert "Traceback" in log.read_text()
    log.unlink()


def test_an_interrupt_ends_with_130():
    def interrupted(**_):
        raise KeyboardInterrupt

    assert run([], interrupted) == 130


def test_no_text_of_others_reaches_the_terminal_as_a_command(gitops_wf, here):
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    store = open_store(f"sqlite:///{here / '.gitops-wf' / 'gitops-wf.db'}")
    with store.transaction() as transaction:
        for number in (2, 3):
            revision = transaction.revision(PROD, number)
            transaction.save_revision(
                replace(
                    revision,
                    subject=evil,
                    author=evil,
                    message=evil,
                    source=evil,
                    branch=evil,
                )
            )
        for decision in transaction.decisions(PROD):
            entry = replace(decision.entry, comment=evil)
            transaction.save_decision(
                replace(
                    decision,
                    entry=entry,
                    person=evil,
                    reason="",
                    effect=Effect.ACCEPTED,
                    counts_for={"step": ""},
                )
            )
        event = transaction.events(PROD)[-1]
        transaction.add_event(replace(event, message=evil, id=0))
    store.close()

    for command in (
        ("describe", "prod"),
        ("describe", "prod#2"),
        ("history", "prod"),
        ("events",),
        ("wait", "prod#2"),
        ("wait", "prod#3", "--for", "suspended"),
        ("get", "environments"),
        ("get", "revisions"),
        ("get", "runs"),
        ("get", "decisions"),
    ):
        result = gitops_wf(*command)
        told = result.out + result.err
        assert not set(told) & set("\x1b\x07\u202e"), command


def test_a_pause_is_shown_everywhere_and_ends_with_resume(gitops_wf):
    paused = gitops_wf("pause", "prod", "--reason", "a disk is full")
    assert paused.code == 0
    assert "shop/prod: paused by " in paused.out

    rows = {
        row["environment"]: row["paused"]
        for row in gitops_wf("get", "environments", "-o", "json").json
    }
    assert rows["staging"] is None
    assert "a disk is full" in rows["prod"]
    assert "a disk is full" in gitops_wf("get", "environments").out
    assert "Paused:" in gitops_wf("describe", "prod").out
    assert "Paused" in gitops_wf("events", "prod").out

    assert gitops_wf("resume", "prod").out == "shop/prod: resumed\n"
    assert "Paused:" not in gitops_wf("describe", "prod").out


def test_resuming_all_names_what_is_paused_by_itself(gitops_wf):
    assert gitops_wf("pause", "--all", "--reason", "one").code == 0
    assert gitops_wf("pause", "prod", "--reason", "two").code == 0

    resumed = gitops_wf("resume", "--all")

    assert resumed.code == 0
    assert "shop/prod stays paused" in resumed.err
    again = gitops_wf("resume", "--all")
    assert (again.code, "not paused by this command: all" in again.err) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "prod"),
        ("pause", "prod", "--reason", " "),
        ("pause", "--reason", "why"),
        ("pause", "prod", "--all", "--reason", "why"),
        ("resume",),
    ],
)
def test_a_pause_says_what_and_why(gitops_wf, arguments):
    assert gitops_wf(*arguments).code == 2
