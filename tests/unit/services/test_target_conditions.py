"""How targets stand: kept, and told once when one goes away or comes back."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.core.environment import Environment, Subscription
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    TargetName,
)
from gitops_wf.ports.store import EnvironmentRecord, StoreUnavailableError
from gitops_wf.services.announce import Announcer
from gitops_wf.services.reaching import Reaching
from gitops_wf.services.target_conditions import TargetConditions
from tests.fakes.clock import FakeClock

SECOND = timedelta(seconds=1)
TARGETS = [TargetName(name) for name in ("eu", "us", "far")]
SERVERS = {"eu": "one", "us": "one", "far": "other"}
PROD = EnvironmentId("shop/prod")


class Told:
    """A process of a daemon with three targets, two of them on one server."""

    def __init__(self, store, clock, targets=TARGETS):
        self.store = store
        self.clock = clock
        self.reaching = Reaching(clock=clock, server_of=SERVERS.__getitem__)
        self.conditions = TargetConditions(
            store=store,
            clock=clock,
            announcer=Announcer(
                executor=None,
                channels={"ops": {"type": "slack", "url": {"value": "https://s/"}}},
                subscriptions=(
                    Subscription(channel="ops", events=("targetUnreachable",)),
                ),
                window=timedelta(seconds=10),
            ),
            reaching=self.reaching,
            targets=lambda: targets,
        )

    def answers(self, server):
        self.reaching.begun(server).answered()

    def hangs(self, server, after):
        request = self.reaching.begun(server)
        self.clock.pass_time(after)
        request.lost("no answer in time", hung=True)

    def acts(self, after=SECOND):
        """Let it act; return the kinds of the events that this told."""
        self.clock.pass_time(after)
        before = len(self.events())
        self.conditions.act()
        return [event.kind for event in self.events()[before:]]

    def events(self):
        with self.store.read() as reader:
            return reader.events()

    def records(self):
        with self.store.read() as reader:
            return reader.targets()


@pytest.fixture
def store(tmp_path):
    opened = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    with opened.transaction() as transaction:
        for number in range(500):
            name = EnvironmentName(f"e{number}")
            definition = Environment(
                name=name, folder=name, targets=(TargetName("eu"), TargetName("us"))
            )
            transaction.save_environment(
                EnvironmentRecord(
                    id=EnvironmentId(f"shop/{name}"),
                    repository=RepositoryName("shop"),
                    name=name,
                    folder=name,
                    definition=definition,
                )
            )
    yield opened
    opened.close()


@pytest.fixture
def told(store):
    return Told(store, FakeClock())


def test_a_server_that_is_away_is_told_once_for_all_that_is_on_it(told):
    told.answers("one")
    assert told.acts() == []
    with capture_logs() as logs:
        told.hangs("one", timedelta(minutes=1))
        assert told.acts() == ["targetUnreachable"]
        told.hangs("one", timedelta(minutes=1))
        assert told.acts() == []

    (event,) = told.events()
    assert event.message.startswith("target eu, us: no answer since ")
    assert "no answer in time; 500 environments are delivered there" in event.message
    assert [line["event"] for line in logs] == ["target.unreachable"]
    with told.store.read() as reader:
        (topic,) = reader.open_topics()
    with told.store.transaction() as transaction:
        (notice,) = transaction.take_notices(topic.topic)
    assert notice.note.place == "target eu, us"
    assert notice.note.headline == "does not answer"
    assert notice.note.commands == ("look: gitops-wf get targets",)


def test_its_return_is_told_once_with_how_long_it_was_away(told):
    told.hangs("one", timedelta(minutes=1))
    told.acts()
    told.clock.pass_time(timedelta(minutes=9))
    told.answers("one")

    with capture_logs() as logs:
        assert told.acts() == ["targetRecovered"]
        assert told.acts() == []
    assert told.events()[-1].message == "target eu, us: answers again, after 10m1s"
    assert [line["event"] for line in logs] == ["target.recovered"]
    assert told.records()[TargetName("eu")].away is None


def test_a_request_that_still_waits_tells_before_it_gives_up(told):
    told.reaching.begun("one")

    assert told.acts(29 * SECOND) == []
    assert told.acts(1 * SECOND) == ["targetUnreachable"]
    assert "requests wait in vain" in told.events()[-1].message


def test_a_blip_is_not_told(told):
    told.reaching.begun("one").lost("503", hung=False)
    assert told.acts() == []
    told.answers("one")

    assert told.acts(timedelta(minutes=1)) == []


def test_a_new_process_tells_the_return_of_what_the_old_one_told_and_no_more(told):
    told.hangs("one", timedelta(minutes=1))
    told.acts()

    again = Told(told.store, told.clock)
    assert again.acts() == []
    again.hangs("one", timedelta(minutes=1))
    assert again.acts() == []
    again.answers("one")
    assert again.acts() == ["targetRecovered"]


def test_looks_are_stored_now_and_then_and_not_each_by_itself(told):
    def compared():
        with told.store.read() as reader:
            return reader.compared(PROD)

    told.acts()
    told.conditions.compared(PROD, TargetName("eu"))
    at = told.clock.now()
    told.acts()
    assert compared() == {}

    told.acts(timedelta(seconds=15))

    assert compared() == {"eu": at}
    assert told.records()[TargetName("eu")].compared == at
    assert TargetName("us") not in told.records()


def test_what_was_noted_while_the_store_was_away_is_stored_later(told):
    away = StoreUnavailableError("it is away", reason="StoreUnreachable")

    class AwayStore:
        def transaction(self):
            raise away

    told.acts()
    told.conditions.compared(PROD, TargetName("eu"))
    at = told.clock.now()
    told.conditions.store = AwayStore()
    with pytest.raises(StoreUnavailableError):
        told.acts(timedelta(seconds=15))
    told.conditions.store = told.store

    told.acts()

    with told.store.read() as reader:
        assert reader.compared(PROD) == {"eu": at}


def test_a_target_that_left_the_config_is_forgotten_at_the_next_start(told):
    told.answers("one")
    told.acts()
    assert set(told.records()) == {"eu", "us"}

    Told(told.store, told.clock, targets=TARGETS[:1]).acts()

    assert set(told.records()) == {"eu"}
