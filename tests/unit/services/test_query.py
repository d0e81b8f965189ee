import json

import pytest

from gitops_wf.core.errors import TerminalError
from tests.shop import ANN, POLICIES, PROD, STAGING, fill, query, sha


@pytest.fixture
def shop(tmp_path):
    return query(fill(tmp_path))


def test_an_environment_is_found_by_its_name_or_with_its_repository(shop):
    assert shop.resolve("prod") == shop.resolve("shop/prod") == PROD


def test_an_unknown_environment_is_answered_with_the_nearest_name(shop):
    with pytest.raises(TerminalError, match="no environment prd; did you mean prod"):
        shop.resolve("prd")


def test_revisions_come_newest_first_with_the_promised_keys(shop):
    rows = [view.as_json() for view in shop.revisions(PROD)]

    assert [row["number"] for row in rows] == [3, 2, 1]
    assert rows[0].keys() >= {
        *("environment", "number", "commit", "phase", "reason", "released"),
        *("rollback", "reverts", "author", "subject", "source", "waiting"),
    }
    assert rows[0]["environment"] == "prod"
    assert rows[0]["created"] == "2026-01-02T05:00:00.000Z"


def test_only_the_revision_that_waits_has_waiting(shop):
    by_number = {v.as_json()["number"]: v.as_json() for v in shop.revisions(PROD)}

    assert by_number[3]["waiting"] == {
        "step": "go-live",
        "approvals": [],
        "needed": 1,
    }
    assert by_number[2]["waiting"] is None


def test_runs_have_their_steps_in_declared_order_with_the_promised_keys(shop):
    run = shop.runs(PROD, number=2)[0].as_json()

    assert (run["number"], run["run"], run["phase"]) == (2, 1, "Failed")
    assert [step["name"] for step in run["steps"]] == ["go-live", "deploy"]
    assert run["steps"][1].keys() >= {
        *("name", "type", "phase", "reason", "message", "attempts")
    }


def test_decisions_name_the_whole_commit_of_their_revision(shop):
    refused, accepted = (view.as_json() for view in shop.decisions(PROD))

    assert refused["revision"] == sha("c")
    assert refused["effect"] == "refused"
    assert refused["reason"] == "mallory@example.com is not among the approvers"
    assert (accepted["by"], accepted["evidence"]) == ("bob@example.com", "author")
    assert accepted["commit"] == sha("d")


def test_a_repository_is_shown_without_its_credentials(shop):
    view = shop.repositories()[0].as_json()

    assert view["url"] == "https://git.example/shop.git"
    assert view["environments"] == 2
    assert "hunter22" not in json.dumps(view)


def test_an_environment_is_ready_when_its_newest_revision_succeeded(shop):
    ready = {view.record.id: view.is_ready for view in shop.environments()}

    assert ready == {PROD: None, STAGING: True}


def test_a_target_says_its_gate_and_who_delivers_there(shop):
    prod = {view.target.name: view.as_json() for view in shop.targets()}["prod"]

    assert prod["gate"]["approvers"] == [ANN]
    assert prod["environments"] == ["prod"]


def test_a_description_says_what_would_approve(shop):
    told = shop.describe(PROD).as_json()

    assert told["approve"][0]["command"] == (
        "gitops-wf approve prod --revision cccccccc --step go-live --push"
    )
    assert told["approve"][0]["entry"] == (
        f"- {{revision: '{sha('c')}', step: go-live, decision: approve}}"
    )
    assert told["approve"][0]["path"] == "envs/prod/approvals.yaml"


def test_a_description_says_plainly_that_anybody_may_approve_by_claim(shop):
    policy = shop.describe(PROD).as_json()["policy"]

    assert (policy["anyAuthorMayApprove"], policy["onlyClaimed"]) == (True, True)


def test_a_description_says_what_a_strict_policy_needs(tmp_path):
    strict = query(fill(tmp_path, POLICIES["two of three"]))

    policy = strict.describe(PROD).as_json()["policy"]

    assert (policy["anyAuthorMayApprove"], policy["onlyClaimed"]) == (False, False)
    assert policy["minApprovals"] == 2


def test_an_older_revision_can_be_described(shop):
    told = shop.describe(PROD, 2)

    assert told.run is not None
    assert told.run.run.id == "shop/prod#2.1"
    assert [d.decision.revision for d in told.decisions] == [2]
    assert [e.event.revision for e in told.events] == [2]


def test_a_revision_that_is_not_there_cannot_be_described(shop):
    with pytest.raises(TerminalError, match="prod has no revision #9"):
        shop.describe(PROD, 9)


def test_every_view_is_plain_json(shop):
    views = [
        *shop.environments(removed=True),
        *shop.revisions(),
        *shop.runs(),
        *shop.decisions(),
        *shop.targets(),
        *shop.inventories(),
        *shop.repositories(),
        *shop.events(),
        shop.describe(PROD),
    ]

    for view in views:
        json.dumps(view.as_json())
