"""Inventories of environments that are delivered as several identities."""

from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.phases import Reason
from gitops_wf.services.recall import Recall

EU = TargetName("eu")
ONE, TWO = EnvironmentId("shop/one"), EnvironmentId("shop/two")


class Cluster:
    """Answers a GET with nothing, or with an error."""

    def __init__(self, error=None):
        self.error = error
        self.asked = 0

    def get(self, resource, namespace, name):
        self.asked += 1
        if self.error is not None:
            raise self.error


class Identities:
    """Gives each environment its own cluster; none for those that have no entry."""

    def __init__(self, **clusters):
        self.clusters = clusters

    def cluster(self, target, environment):
        found = self.clusters.get(environment.partition("/")[2])
        if found is None:
            raise TerminalError("add one", reason=Reason.TARGET_NOT_CONFIGURED)
        return found

    def namespace(self, target):
        return "shop"


def read(**clusters):
    recall = Recall(clusters=Identities(**clusters), instance="a")
    return recall.read({ONE: [EU], TWO: [EU]})


def test_what_one_identity_may_not_see_holds_no_other():
    refused = TerminalError("forbidden", reason="Forbidden")

    recalled = read(one=Cluster(refused), two=Cluster())

    assert recalled[ONE].problems == {EU: "target eu: forbidden"}
    assert recalled[TWO].problems == {}


def test_a_target_that_is_away_is_not_waited_for_once_an_identity():
    one, two = Cluster(TransientError("no connection")), Cluster()

    recalled = read(one=one, two=two)

    assert (one.asked, two.asked) == (1, 0)
    assert recalled[ONE].problems == recalled[TWO].problems
    assert recalled[TWO].problems == {EU: "target eu: no connection"}


def test_where_an_environment_is_not_delivered_nothing_of_it_can_be():
    recalled = read(two=Cluster())

    assert recalled[ONE].problems == {}
    assert recalled[ONE].newest.number == 0
