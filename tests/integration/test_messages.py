"""From what happened to what is sent: gathered, paced, each once, whatever dies."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.core.environment import Environment, Subscription
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.message import Delivery, DeliveryPhase, Message
from gitops_wf.core.notifications.verdict import RetryIn, Sent
from gitops_wf.core.revision import Revision
from gitops_wf.ports.executor import DeliveryWork
from gitops_wf.services.announce import Announcer
from gitops_wf.services.deliver import ChannelSender
from gitops_wf.services.deliveries import Deliveries
from gitops_wf.services.gather import Gather
from gitops_wf.services.watched_store import Recorder
from tests.fakes.clock import FakeClock
from tests.fakes.executor import ManualExecutor

SECOND = timedelta(seconds=1)
SHA = "4f1c2d9e" + "0" * 32
WINDOW = 10 * SECOND


def never(seconds):
    raise AssertionError("the store of these tests is never away")


class Killed(BaseException):
    """The process dies."""


class Receivers:
    """Takes what is sent; `answers` come first, `dies` before an answer is recorded."""

    def __init__(self, channels):
        self.sender = ChannelSender(
            outbound=None, mailer=None, relay=None, secrets=None, channels=channels
        )
        self.sent = []
        self.answers = {}
        self.dies = False

    def receiver(self, message):
        return self.sender.receiver(message)

    def send(self, delivery, now):
        self.sent.append((now, delivery))
        if self.dies:
            self.dies = False
            raise Killed
        answers = self.answers.get(delivery.message.channel.get("name"), [])
        return answers.pop(0) if answers else Sent(detail="ok")


class Office:
    """A daemon's part that tells people, by a test's own clock."""

    def __init__(self, path, channels, *, window=WINDOW):
        self.path = path
        self.channels = channels
        self.window = window
        self.clock = FakeClock()
        self.receivers = Receivers(channels)
        self.executor = ManualExecutor(self.clock)
        self.store = None
        self.begin()

    def begin(self):
        """Begin anew on the same store; the queue is in it."""
        if self.store is not None:
            self.store.close()
        self.store = open_store(self.path)
        self.announcer = Announcer(
            executor=self.executor,
            channels=self.channels,
            subscriptions=tuple(
                Subscription(channel=name, events=("failed", "suspended", "removed"))
                for name in self.channels
            ),
            window=self.window,
            commits={"shop": "https://github.com/shop/web/commit/{commit}"},
        )
        self.gather = Gather(
            store=self.store,
            clock=self.clock,
            executor=self.executor,
            channels=self.channels,
            window=self.window,
        )
        self.deliveries = Deliveries(
            store=self.store,
            clock=self.clock,
            executor=self.executor,
            sender=self.receivers,
            recorder=Recorder(wait=never),
        )
        self.executor.start(self.deliveries.carry_out)

    def happen(self, environment="prod", kind="failed", *, commit=SHA, **more):
        revision = Revision(
            environment=EnvironmentId(f"shop/{environment}"),
            number=12,
            commit=commit,
            branch="main",
            position=7,
            inputs="i1",
            subject="Raise web",
            created=self.clock.now(),
            environment_definition=Environment(name=environment, folder="x"),
        )
        event = Event(
            at=self.clock.now(),
            kind=kind,
            reason="",
            message="why",
            environment=revision.environment,
            revision=12,
            run=f"shop/{environment}#12.1",
            **more,
        )
        with self.store.transaction() as transaction:
            self.announcer.announce(transaction, event, revision)

    def wait(self, span=timedelta()):
        """Let time pass, second by second, and all that is due be carried out."""
        end = self.clock.now() + span
        while True:
            self.gather.act()
            self.executor.run_due()
            if self.clock.now() >= end:
                return
            self.clock.pass_time(min(SECOND, end - self.clock.now()))

    def told(self, channel):
        """First line and text of each send to a channel that speaks as Slack does."""
        return [
            delivery.message.payload["text"]
            for _, delivery in self.receivers.sent
            if delivery.message.channel == {"name": channel}
        ]

    def times(self):
        return [now for now, _ in self.receivers.sent]


@pytest.fixture
def make(tmp_path):
    made = []

    def office(channels, **more):
        made.append(Office(tmp_path / "store.db", channels, **more))
        return made[-1]

    yield office
    for each in made:
        each.store.close()


SLACK = {"type": "slack", "url": "https://hooks.slack.com/1"}
OTHER = {"type": "slack", "url": "https://hooks.slack.com/2"}
DING = {"type": "dingding", "url": "https://oapi.dingtalk.com/robot/send?x=1"}
HOOK = {"type": "webhook", "url": "https://audit.example.com/"}


def test_a_thousand_environments_that_one_commit_breaks_are_one_message_a_channel(make):
    office = make({"ops": SLACK, "duty": DING})

    for number in range(1000):
        office.happen(f"env-{number}")
        if number % 200 == 0:
            office.wait(SECOND)
    office.wait(60 * SECOND)

    assert Counter(d.message.kind for _, d in office.receivers.sent) == {
        "slack": 1,
        "dingding": 1,
    }
    [text] = office.told("ops")
    assert "shop 4f1c2d9e: 1000 FAILED" in text
    assert "gitops-wf rollback env-0 --push" in text
    assert f"https://github.com/shop/web/commit/{SHA}" in text
    assert "and 950 more: 950 FAILED" in text


def test_what_one_commit_causes_is_held_for_a_window_after_the_last(make):
    office = make({"ops": SLACK})

    office.happen("eu")
    office.wait(9 * SECOND)
    office.happen("us")
    office.wait(9 * SECOND)
    assert office.told("ops") == []
    office.wait(SECOND)

    [text] = office.told("ops")
    assert "eu#12 FAILED" in text
    assert "us#12 FAILED" in text


def test_nothing_is_held_longer_than_three_windows(make):
    office = make({"ops": SLACK})

    for number in range(6):
        office.happen(f"env-{number}")
        office.wait(5 * SECOND)
    office.wait(SECOND)
    assert len(office.told("ops")) == 1

    office.happen("late")
    office.wait(11 * SECOND)
    assert "late#12 FAILED" in office.told("ops")[1]


def test_commits_are_told_apart(make):
    office = make({"ops": SLACK})

    office.happen("eu")
    office.happen("us", commit="b" * 40)
    office.wait(15 * SECOND)

    assert sorted(text.split()[0] for text in office.told("ops")) == [
        "*eu#12",
        "*us#12",
    ]


def test_without_a_window_each_event_is_a_message_at_once(make):
    office = make({"ops": SLACK}, window=timedelta())

    office.happen("eu")
    office.executor.run_due()

    assert len(office.told("ops")) == 1


def test_a_program_gets_each_event_by_itself_at_once(make):
    office = make({"audit": HOOK})

    office.happen("eu")
    office.happen("us")
    office.executor.run_due()

    events = [d.message.payload["event"] for _, d in office.receivers.sent]
    assert [event["environment"] for event in events] == ["shop/eu", "shop/us"]


def test_what_is_told_twice_is_said_once(make):
    office = make({"ops": SLACK})

    office.happen("eu")
    office.happen("eu")
    office.wait(15 * SECOND)
    office.happen("eu")
    office.wait(15 * SECOND)

    [text] = office.told("ops")
    assert text.count("eu#12") == 1


def test_several_approvers_and_targets_of_one_revision_are_told_apart(make):
    office = make({"ops": SLACK})

    for metadata in ({"target": "eu"}, {"target": "us"}, {"edge": "1"}, {"edge": "2"}):
        office.happen("prod", "removed", metadata=metadata)
    office.wait(15 * SECOND)

    assert office.told("ops")[0].count("prod#12 removed") == 5  # with the first line


def test_an_environment_that_is_gone_is_told_too(make):
    office = make({"ops": SLACK})
    event = Event(
        at=office.clock.now(),
        kind="removed",
        reason="Removed",
        message="the folder is gone",
        environment=EnvironmentId("shop/prod"),
    )

    with office.store.transaction() as transaction:
        office.announcer.announce(transaction, event)
    office.wait(15 * SECOND)

    assert "the folder is gone" in office.told("ops")[0]


def test_a_restart_between_what_happened_and_what_is_told_loses_nothing(make):
    office = make({"ops": SLACK})
    office.happen("eu")
    office.wait(5 * SECOND)

    office.begin()
    office.happen("us")
    office.wait(15 * SECOND)

    [text] = office.told("ops")
    assert "eu#12 FAILED" in text
    assert "us#12 FAILED" in text


def test_what_waits_for_a_channel_that_left_the_config_is_given_up_and_said(make):
    office = make({"ops": SLACK})
    office.happen("eu")

    office.channels = {}
    office.begin()
    office.wait(15 * SECOND)

    with office.store.read() as reader:
        last = reader.events()[-1]
    assert (last.kind, last.reason) == ("notDelivered", "ChannelNotConfigured")
    assert "channel ops: it is no longer" in last.message
    assert office.gather.act() is None


# --- the receivers' limits ---


def post(office, count, name="ops", kind="slack"):
    """Write rows as notification steps do; each is a message of its own."""
    with office.store.transaction() as transaction:
        for number in range(count):
            office.announcer.post(
                transaction,
                Delivery(
                    key=f"run/{name}/{number}",
                    environment=EnvironmentId("shop/prod"),
                    run=None,
                    step=None,
                    message=Message(
                        item=f"{number}",
                        kind=kind,
                        channel={"name": name},
                        payload={"text": str(number)},
                    ),
                    created=office.clock.now(),
                ),
            )


def test_fifty_messages_to_a_robot_are_sent_at_its_rate_and_in_order(make):
    office = make({"duty": DING})

    post(office, 50, "duty", "dingding")
    office.wait(200 * SECOND)

    times = office.times()
    assert len(times) == 50
    for first in times:
        assert sum(first <= t < first + 60 * SECOND for t in times) < 20
    order = [int(d.message.payload["text"]) for _, d in office.receivers.sent]
    assert order == sorted(order)


def test_two_channels_to_one_robot_share_its_rate(make):
    office = make({"one": DING, "two": DING})

    post(office, 15, "one", "dingding")
    post(office, 15, "two", "dingding")
    office.wait(SECOND)

    assert len(office.times()) == 19


def test_a_receiver_that_asks_for_a_pause_gets_it_from_all_of_its_messages(make):
    office = make({"ops": SLACK, "more": OTHER})
    limit = RetryIn(after=30 * SECOND, detail="HTTP 429", is_limit=True)
    office.receivers.answers["ops"] = [limit]

    post(office, 3)
    post(office, 1, "more")
    office.wait(29 * SECOND)
    assert Counter(d.message.channel["name"] for _, d in office.receivers.sent) == {
        "ops": 1,
        "more": 1,
    }
    office.wait(10 * SECOND)

    sent = [d.message.payload["text"] for _, d in office.receivers.sent[2:]]
    assert sorted(sent) == ["0", "1", "2"]


def test_a_limit_never_loses_a_message_however_often_it_is_met(make):
    office = make({"ops": SLACK})
    limit = RetryIn(after=timedelta(minutes=10), detail="HTTP 429", is_limit=True)
    office.receivers.answers["ops"] = [limit] * 30  # five hours

    post(office, 1)
    for _ in range(31):
        office.clock.pass_time(timedelta(minutes=10))
        office.executor.run_due()

    with office.store.read() as reader:
        row = reader.delivery(1)
    assert (row.phase, row.spent, row.limited) == (DeliveryPhase.SENT, 1, 30)


def test_a_restart_forgets_no_pause_and_no_turn(make):
    office = make({"ops": SLACK})
    limit = RetryIn(after=30 * SECOND, detail="HTTP 429", is_limit=True)
    office.receivers.answers["ops"] = [limit]
    post(office, 2)
    office.wait()

    office.begin()
    post(office, 3)  # the third is new
    office.wait(29 * SECOND)
    assert len(office.times()) == 1
    office.wait(4 * SECOND)

    assert len(office.times()) == 4


def test_a_try_that_waits_is_not_begun_by_the_number_that_it_had(make):
    office = make({"ops": SLACK})
    post(office, 2)
    office.executor.run_due()
    again = [w for _, _, w in office.executor._waiting]

    for work in again:
        # As a queue brings it that died before it had noted the end of the first.
        office.deliveries.carry_out(replace(work, attempt=work.attempt - 1))

    assert len(office.times()) == 1
    office.wait(5 * SECOND)
    assert len(office.times()) == 2


def test_a_kill_between_the_answer_and_its_record_costs_one_duplicate_of_one(make):
    office = make({"ops": SLACK, "more": OTHER})
    office.happen("eu")
    office.receivers.dies = True

    with pytest.raises(Killed):
        office.wait(15 * SECOND)
    office.begin()
    for number in (1, 2):  # the queue brings what had begun
        office.deliveries.carry_out(DeliveryWork(delivery=number, attempt=1))
    office.wait(60 * SECOND)

    sent = Counter(d.message.channel["name"] for _, d in office.receivers.sent)
    assert sorted(sent.values()) == [1, 2]


def test_a_channel_that_is_down_is_tried_alone(make):
    office = make({"ops": SLACK, "more": OTHER})
    down = RetryIn(after=5 * SECOND, detail="HTTP 503")
    office.receivers.answers["ops"] = [down, down]

    office.happen("eu")
    office.wait(60 * SECOND)

    sent = Counter(d.message.channel["name"] for _, d in office.receivers.sent)
    assert sent == {"ops": 3, "more": 1}
