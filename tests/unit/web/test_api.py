import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.shop import PROD, fill, query
from tests.sites import break_store, served_site

QUESTIONS = (
    ("environments", {}, lambda q: q.environments()),
    ("revisions", {}, lambda q: q.revisions()),
    ("revisions", {"environment": "prod"}, lambda q: q.revisions(PROD)),
    ("runs", {}, lambda q: q.runs()),
    (
        "runs",
        {"environment": "shop/prod", "number": 2},
        lambda q: q.runs(PROD, number=2),
    ),
    ("decisions", {"environment": "prod"}, lambda q: q.decisions(PROD)),
    ("events", {}, lambda q: q.events()),
    ("repositories", {}, lambda q: q.repositories()),
)


@pytest.mark.parametrize(("what", "params", "ask"), QUESTIONS)
def test_an_answer_is_what_the_command_line_prints(tmp_path, what, params, ask):
    made = fill(tmp_path)
    asked = query(made)
    expected = [view.as_json() for view in ask(asked)]
    asked.store.close()

    with served_site(made) as site:
        answer = site.get(f"/api/v1/{what}", **params)

    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(expected))
    assert expected


@pytest.mark.parametrize("name", ["prod", "shop/prod"])
def test_one_environment_is_asked_for_by_either_name(site, name):
    answer = site.get(f"/api/v1/environments/{name}")

    listed = site.get("/api/v1/environments").json()
    assert answer.json() == next(x for x in listed if x["environment"] == "prod")


@pytest.mark.parametrize(
    "path", ["environments/prdo", "revisions?environment=prdo", "nothing"]
)
def test_what_is_not_there_is_404_in_json(site, path):
    answer = site.client.get(f"/api/v1/{path}")

    assert answer.status_code == 404
    assert answer.json()["reason"] == "NotFound"
    if "prdo" in path:
        assert "did you mean prod?" in answer.json()["detail"]


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 501}, {"offset": -1}, {"number": "x"}]
)
def test_bad_input_is_422_and_names_the_parameter(site, params):
    answer = site.get("/api/v1/runs", **params)

    assert answer.status_code == 422
    assert answer.json()["reason"] == "Invalid"
    assert answer.json()["detail"].startswith(f"{next(iter(params))}: ")


def test_the_links_lead_through_every_item_once(site):
    every = site.get("/api/v1/revisions").json()
    seen, path = [], "/api/v1/revisions?environment=prod&limit=2"
    for _ in range(5):
        answer = site.client.get(path)
        seen += answer.json()
        if "next" not in answer.links:
            break
        path = answer.links["next"]["url"]

    assert seen == [x for x in every if x["environment"] == "prod"]
    assert len(seen) == 3


def test_events_are_followed_from_an_id_without_a_gap(site):
    every = site.get("/api/v1/events").json()
    seen = []
    for _ in range(len(every) + 1):
        after = seen[-1]["id"] if seen else 0
        seen += site.get("/api/v1/events", after=after, limit=1).json()

    assert seen == every
    assert site.get("/api/v1/events", limit=1).json() == every[-1:]


def test_nothing_can_be_written(site):
    schema = site.get("/api/v1/openapi.json").json()

    assert all(set(path) == {"get"} for path in schema["paths"].values())
    for path in schema["paths"]:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = site.client.request(method, path.replace("{name}", "prod"))
            assert answer.status_code == 405


def test_no_answer_has_a_credential_of_a_url(site):
    for what in ("repositories", "environments", "events", "runs", "decisions"):
        assert "hunter22" not in site.get(f"/api/v1/{what}").text
    for path in ("/metrics", "/readyz", "/healthz"):
        assert "hunter22" not in site.get(path).text


def test_a_store_that_does_not_answer_is_503_in_json(tmp_path):
    made = fill(tmp_path)
    with served_site(made) as site:
        break_store(made)

        answer = site.get("/api/v1/repositories")

    assert answer.status_code == 503
    assert answer.json()["reason"] == "StoreUnavailable"


def test_no_question_that_the_description_allows_or_forbids_breaks_it(site):
    description = schemathesis.openapi.from_asgi("/api/v1/openapi.json", site.app)
    asked = set()

    for result in description.get_all_operations():
        operation = result.ok()
        strategy = operation.as_strategy()

        @settings(
            max_examples=25,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def put(case):
            answer = case.call()
            assert answer.status_code < 500, answer.text
            case.validate_response(answer)

        put()
        asked.add(operation.path)
    assert len(asked) == 7
