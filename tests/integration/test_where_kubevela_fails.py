"""What users of KubeVela suffer from does not happen here.

docs/reference/kubevela.md lists it all, and which test proves what; here stands what
nothing else proves as a whole: a workflow on real receivers and a sandbox cluster.
"""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.receivers import Reply
from tests.worlds import WORKFLOW, known_of, workflow, world

CONTENT = {
    "envs/prod/web.yaml": (
        "apiVersion: v1\nkind: ConfigMap\n"
        "metadata: {name: web, labels: {app: web}}\ndata: {value: one}\n"
    )
}
TELL = """\
- name: tell
  type: notification
  timeout: 2m
  properties:
    slack:
      url: {secretRef: {name: slack, key: url}}
      message: {text: hello}
    dingding:
      url: {secretRef: {name: ding, key: url}}
      message: {msgtype: text, text: {content: hello}}
"""


@pytest.fixture
def begin(tmp_path):
    """Commit a workflow of these steps in a world that is ready for it."""

    @contextmanager
    def made(steps, files=CONTENT, **answers):
        everything = {**files, WORKFLOW: workflow(steps)}
        with world(tmp_path, known_of(everything)) as around:
            around.answers |= {
                f"{host}.example/hook": reply for host, reply in answers.items()
            }
            around.commit(everything)
            yield around

    return made


def test_a_500_from_slack_fails_the_step_and_tells_the_other_channel_once(begin):
    with begin(TELL, slack=Reply(status=500, body=b"oops")) as around:
        around.go_on()

        assert around.line.phases("prod") == ["Failed/Timeout"]
        assert "slack: HTTP 500" in around.run.steps[0].message
        assert len(around.asked("slack.example")) == 4
        assert len(around.asked("ding.example")) == 1


def test_another_errcode_than_zero_of_dingtalk_fails_the_step_whatever_the_status(
    begin,
):
    no = Reply(body=b'{"errcode":310000,"errmsg":"sign not match"}')
    with begin(TELL, ding=no) as around:
        around.go_on()

        assert around.line.phases("prod") == ["Failed/NotificationFailed"]
        assert "310000: sign not match" in around.run.steps[0].message


@dataclass
class KilledOnce:
    """Sends; the first time, the process is killed before anybody hears of it."""

    sender: object
    sent: list = field(default_factory=list)

    def receiver(self, message):
        return self.sender.receiver(message)

    def send(self, delivery, now):
        verdict = self.sender.send(delivery, now)
        self.sent.append(verdict)
        if len(self.sent) == 1:
            raise KeyboardInterrupt
        return verdict


def test_what_is_sent_again_after_a_kill_has_the_key_of_the_first(tmp_path):
    files = {
        **CONTENT,
        WORKFLOW: workflow(
            "- {name: tell, type: notification,"
            " properties: {channels: [dev], text: hello}}\n"
        ),
    }
    with world(tmp_path, known_of(files)) as around:
        around.line.sender = KilledOnce(around.line.sender)
        carry_out = around.line.executor.carry_out
        begun = []

        def witnessed(work):
            begun.append(work)
            carry_out(work)

        around.line.executor.carry_out = witnessed
        with pytest.raises(KeyboardInterrupt):
            around.commit(files)
        carry_out(begun[-1])  # as the executor of the next process does
        around.go_on()

        keys = {one.headers["idempotency-key"] for one in around.asked("dev.example")}
        assert around.line.phases("prod") == ["Succeeded"]
        assert len(around.asked("dev.example")) == 2
        assert len(keys) == 1


def test_a_request_before_an_approval_is_made_once(begin):
    steps = (
        "- {name: call, type: webhook, properties: {url: 'https://ci.example/hook'}}\n"
        "- {name: go-live, type: suspend}\n"
        "- {name: deploy, type: deploy2env}\n"
    )
    with begin(steps) as around:
        around.go_on(is_approved=False)
        around.line.wait(timedelta(hours=3))
        around.go_on()

        assert around.line.phases("prod") == ["Succeeded"]
        assert len(around.asked("ci.example")) == 1


def test_a_newer_commit_ends_what_waits_and_what_says_always_still_tells(begin):
    steps = (
        "- {name: go-live, type: suspend}\n"
        "- {name: deploy, type: deploy2env}\n"
        "- name: tell\n  type: webhook\n  if: always\n"
        "  properties: {url: 'https://ci.example/hook', data: {n: '${{ revision.number"
        " }}', was: '${{ run.outcome }}'}}\n"
    )
    with begin(steps) as around:
        around.go_on(is_approved=False)
        text = CONTENT["envs/prod/web.yaml"].replace("one", "two")
        around.commit({"envs/prod/web.yaml": text})
        around.go_on()

        told = [json.loads(one.body) for one in around.asked("ci.example")]
        assert around.line.phases("prod") == ["Aborted/Superseded", "Succeeded"]
        assert told == [
            {"n": 1, "was": "Aborted"},
            {"n": 2, "was": "Succeeded"},
        ]


def test_each_commit_runs_a_job_of_its_own(begin):
    steps = "- {name: seed, type: run-job, properties: {image: 'seed:1'}}\n"
    with begin(steps) as around:
        around.go_on()
        around.commit({"envs/prod/web.yaml": "{}\n"})
        around.go_on()

        jobs = around.cluster.list("jobs.batch", "prod-eu")
        done = [job["status"].get("succeeded") for job in jobs]
        assert around.line.phases("prod") == ["Succeeded", "Succeeded"]
        assert done == [1, 1]


def test_a_delivery_of_web_leaves_web_admin_alone(begin):
    admin = CONTENT["envs/prod/web.yaml"].replace("web", "web-admin")
    files = {**CONTENT, "envs/prod/admin.yaml": admin}
    steps = (
        "- {name: deploy, type: deploy2env, properties: {selector: 'app=web'}}\n"
        "- {name: other, type: deploy2env, properties:"
        " {target: prod-us, path: web.yaml}}\n"
    )
    with begin(steps, files) as around:
        around.go_on()

        assert around.line.phases("prod") == ["Succeeded"]
        for place in ("prod-eu", "prod-us"):
            assert around.cluster.find("configmaps", "web", place)
            assert around.cluster.find("configmaps", "web-admin", place) is None


def test_a_message_may_say_what_a_step_s_status_was(begin):
    steps = (
        "- {name: deploy, type: deploy2env, properties: {target: prod-eu}}\n"
        "- name: tell\n  type: notification\n  if: always\n"
        "  properties: {channels: [ops], text: '${{ status.deploy.phase }}:"
        " ${{ status.deploy.message }}'}\n"
    )
    with begin(steps) as around:
        around.go_on()

        [told] = around.asked("ops.example")
        message = around.run.steps[0].message
        assert message
        assert f"Succeeded: {message}" in told.json["text"]


def test_a_suspend_of_a_group_goes_on_after_its_duration(begin):
    steps = (
        "- name: soak\n  type: step-group\n  subSteps:\n"
        "    - {name: wait, type: suspend, properties: {duration: 10m}}\n"
        "- {name: deploy, type: deploy2env}\n"
    )
    with begin(steps) as around:
        began = around.line.clock.now()
        around.go_on()

        took = around.line.clock.now() - began
        assert around.line.phases("prod") == ["Succeeded"]
        assert timedelta(minutes=10) <= took < timedelta(minutes=11)
