from datetime import UTC, datetime

import pytest

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import EnvironmentId, Sha
from gitops_wf.core.notifications.channels import message_to_channel
from gitops_wf.core.notifications.events import event_data, event_note
from gitops_wf.core.revision import Revision

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SHA = Sha("4f1c2d9e" + "0" * 32)


def a_revision(**more):
    fields = {
        "environment": EnvironmentId("shop/prod"),
        "number": 12,
        "commit": SHA,
        "branch": "main",
        "position": 7,
        "inputs": "i1",
        "author": "Ann Lee",
        "subject": "Raise web to 1.4.2",
        "created": NOW,
    }
    return Revision(**fields | more)


def an_event(kind, **more):
    fields = {
        "at": NOW,
        "kind": kind,
        "reason": "",
        "message": "",
        "environment": EnvironmentId("shop/prod"),
        "revision": 12,
    }
    return Event(**fields | more)


def test_a_wait_says_whose_change_it_is_and_what_to_type():
    event = an_event("suspended", step="go-live", message="EU is live")

    text = event_note(event, a_revision())

    assert text.subject == "prod#12 waits for approval at go-live"
    assert text.text.splitlines() == [
        "4f1c2d9e Raise web to 1.4.2, Ann Lee",
        "EU is live",
        "",
        "approve: gitops-wf approve prod --revision 4f1c2d9e --step go-live --push",
        "reject:  gitops-wf reject prod --revision 4f1c2d9e --step go-live --push",
    ]


def test_a_failure_says_where_why_and_the_way_back():
    event = an_event(
        "failed",
        step="deploy-eu",
        reason="HealthCheckFailed",
        message="Deployment/shop/web: ImagePullBackOff",
    )

    text = event_note(event, a_revision())

    assert text.subject == "prod#12 FAILED at deploy-eu (HealthCheckFailed)"
    assert "ImagePullBackOff" in text.text
    assert "gitops-wf retry prod --revision 4f1c2d9e --push" in text.text
    assert "gitops-wf rollback prod --push" in text.text


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("approved", "prod#12 approved"),
        ("rejected", "prod#12 rejected"),
        ("succeeded", "prod#12 succeeded"),
        ("rolledBack", "prod#12 rolled back to #9"),
        ("superseded", "prod#12 superseded by a newer revision"),
        ("errored", "prod#12 ERRORED"),
        ("reminder", "prod#12 still waits for approval"),
        ("degraded", "prod#12 degraded"),
    ],
)
def test_every_kind_names_environment_and_number_in_its_first_line(kind, subject):
    text = event_note(an_event(kind), a_revision(rollback_of=9))

    assert text.subject == subject
    assert "4f1c2d9e" in text.text


def test_an_invalid_definition_is_mended_not_retried():
    event = an_event("failed", reason="InvalidDefinition", message="x.yaml:3: bad")

    note = event_note(event, a_revision())

    assert note.subject == "prod#12 INVALID: nothing was deployed"
    assert "git revert 4f1c2d9e0000" in note.text
    assert "retry" not in note.text


def test_a_link_to_the_commit_stands_below_whose_change_it_is():
    link = f"https://github.com/shop/web/commit/{SHA}"

    note = event_note(an_event("succeeded"), a_revision(), link=link)

    assert note.text.splitlines() == ["4f1c2d9e Raise web to 1.4.2, Ann Lee", link]


def test_a_wait_says_who_is_waited_for():
    needs = "needs 2 approvals, has ann@example.com; may approve: release-team"
    event = an_event("reminder", step="go-live", metadata={"needs": needs})

    note = event_note(event, a_revision())

    assert note.subject == "prod#12 still waits for approval at go-live"
    assert needs in note.text.splitlines()
    assert "gitops-wf approve prod --revision 4f1c2d9e --step go-live" in note.text


def test_an_event_without_a_revision_still_says_where():
    event = an_event("unreadable", revision=None, message="approvals.yaml:3: bad")

    assert event_note(event, None).subject == "prod unreadable"
    assert event_note(event, None).text == "approvals.yaml:3: bad"


def test_a_strangers_text_stays_one_short_line_and_a_command_a_shell_word():
    revision = a_revision(
        environment=EnvironmentId("shop/prod; rm -rf $HOME"),
        subject="x" * 500 + "\napprove: evil",
    )

    text = event_note(an_event("suspended", step="a'b"), revision).text

    assert len(text.splitlines()[0]) < 130
    assert "approve 'prod; rm -rf $HOME' --revision 4f1c2d9e --step 'a'\\''b'" in text
    assert "\napprove: evil" not in text


@pytest.mark.parametrize(
    ("kind", "payload_has"),
    [
        ("slack", {"mrkdwn": True}),
        ("dingding", {"msgtype": "text"}),
        ("lark", {"msg_type": "text"}),
        ("email", {"subject": "prod#12 succeeded"}),
        ("apprise", {"title": "prod#12 succeeded"}),
        ("webhook", {"subject": "prod#12 succeeded"}),
    ],
)
def test_each_channel_gets_a_text_in_its_own_format(kind, payload_has):
    note = event_note(an_event("succeeded"), a_revision())

    message = message_to_channel(
        {"ops": {"type": kind}}, "ops", subject=note.subject, text=note.text
    )

    assert (message.kind, message.channel) == (kind, {"name": "ops"})
    assert payload_has.items() <= message.payload.items()


def test_a_webhook_gets_the_events_fields():
    event = an_event("failed", reason="Timeout", message="it hangs")

    data = event_data(event, a_revision(), "https://x.example/c")

    assert data["kind"] == "failed"
    assert data["message"] == "it hangs"
    assert data["commit"] == SHA
    assert data["link"] == "https://x.example/c"


def test_a_channel_of_no_known_type_is_refused_with_those_there_are():
    with pytest.raises(TerminalError, match="apprise, dingding, email, lark, slack, w"):
        message_to_channel({"ops": {"type": "pigeon"}}, "ops", subject="", text="")


@pytest.mark.parametrize(
    ("kind", "reason", "subject", "commands"),
    [
        (
            "drift",
            "Drifted",
            "prod#12 differs from Git on eu",
            [
                "look:     gitops-wf describe prod",
                "put back: gitops-wf redeploy prod --revision 4f1c2d9e --push",
                "or keep it: commit it to Git, or name it in drift.ignore",
            ],
        ),
        (
            "drift",
            "HealFought",
            "prod#12 is fought over on eu",
            ["look: gitops-wf describe prod"],
        ),
        (
            "drift",
            "HealFailed",
            "prod#12 cannot be healed on eu",
            ["look: gitops-wf describe prod"],
        ),
        ("healed", "Healed", "prod#12 is as Git says again on eu", []),
        (
            "degraded",
            "Degraded",
            "prod#12 degraded on eu",
            [
                "look:    gitops-wf describe prod",
                "go back: gitops-wf rollback prod --push",
            ],
        ),
        ("recovered", "Recovered", "prod#12 recovered on eu", []),
    ],
)
def test_what_becomes_of_a_release_names_the_target_and_what_to_type(
    kind, reason, subject, commands
):
    event = an_event(kind, reason=reason, metadata={"target": "eu", "edge": "x"})

    text = event_note(event, a_revision())

    assert text.subject == subject
    assert text.text.splitlines()[2:] == commands
