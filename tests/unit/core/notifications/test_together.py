from datetime import UTC, datetime

from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import EnvironmentId, Sha
from gitops_wf.core.notifications.events import event_note
from gitops_wf.core.notifications.together import together
from gitops_wf.core.revision import Revision

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SHA = Sha("4f1c2d9e" + "0" * 32)
LINK = f"https://github.com/shop/web/commit/{SHA}"


def a_note(environment, kind, *, commit=SHA, step="", message=""):
    revision = Revision(
        environment=EnvironmentId(f"shop/{environment}"),
        number=3,
        commit=commit,
        branch="main",
        position=7,
        inputs="i1",
        author="Ann Lee",
        subject="Raise web",
        created=NOW,
    )
    event = Event(
        at=NOW,
        kind=kind,
        reason="",
        message=message,
        environment=revision.environment,
        revision=3,
        step=step,
    )
    return event_note(event, revision, link=LINK)


def test_one_note_is_told_as_it_is():
    note = a_note("prod", "failed", message="it hangs")

    assert together([note], "shop 4f1c2d9e") == (note.subject, note.text)


def test_what_must_be_acted_on_comes_first_and_each_environment_has_its_command():
    notes = [
        a_note("dev", "succeeded"),
        a_note("eu", "suspended", step="go-live"),
        a_note("us", "failed", message="it hangs"),
    ]

    subject, text = together(notes, "shop 4f1c2d9e")

    assert subject == "shop 4f1c2d9e: 1 FAILED, 1 waiting for approval, 1 succeeded"
    assert text.splitlines() == [
        "4f1c2d9e Raise web, Ann Lee",
        LINK,
        "",
        "us#3 FAILED",
        "  it hangs",
        "  look:      gitops-wf describe us",
        "  try again: gitops-wf retry us --revision 4f1c2d9e --push",
        "  go back:   gitops-wf rollback us --push",
        "",
        "eu#3 waits for approval at go-live",
        "  approve: gitops-wf approve eu --revision 4f1c2d9e --step go-live --push",
        "  reject:  gitops-wf reject eu --revision 4f1c2d9e --step go-live --push",
        "",
        "dev#3 succeeded",
    ]


def test_what_became_of_one_environment_is_told_by_its_newest():
    notes = [a_note("prod", kind) for kind in ("created", "started", "succeeded")]

    subject, text = together(notes, "shop 4f1c2d9e")

    assert subject == "prod#3 succeeded"
    assert text.count("prod#3") == 3


def test_a_thousand_failures_are_readable_and_the_rest_is_counted():
    notes = [a_note(f"env-{n}", "failed", message="x" * 300) for n in range(1000)]
    notes.insert(500, a_note("gate", "suspended", step="go"))

    subject, text = together(notes, "shop 4f1c2d9e")

    assert subject == "shop 4f1c2d9e: 1000 FAILED, 1 waiting for approval"
    assert "go back:   gitops-wf rollback env-9 --push" in text
    assert "\nenv-49#3 FAILED\n" in text
    assert "env-50#3" not in text
    assert "and 951 more: 950 FAILED, 1 waiting for approval" in text
    assert "  go back:   gitops-wf rollback ENVIRONMENT --push" in text
    assert "  approve: gitops-wf approve ENVIRONMENT --revision 4f1c2d9e" in text
    # DingTalk takes 20,000 bytes.
    assert len(f"{subject}\n{text}".encode()) < 12_000


def test_notes_of_several_commits_each_say_whose_change_they_are():
    other = Sha("b" * 40)
    notes = [a_note("eu", "degraded"), a_note("us", "degraded", commit=other)]

    subject, text = together(notes, "shop")

    assert subject == "shop: 2 degraded"
    assert "eu#3 degraded\n  4f1c2d9e Raise web, Ann Lee\n" in text
    assert "us#3 degraded\n  bbbbbbbb Raise web, Ann Lee\n" in text
