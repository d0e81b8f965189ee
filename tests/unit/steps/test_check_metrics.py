import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.phases import Phase
from gitops_wf.core.secret import Secret
from gitops_wf.ports.outbound import HttpResponse
from gitops_wf.steps.check_metrics import STEP_TYPE
from tests.steps import CANARY, NOW, FakeOutbound, FakeSecrets, a_context, capabilities

QUERY = {"query": "sum(rate(ok[5m]))", "condition": ">=0.95"}


def value(number, **metric):
    result = [{"metric": metric, "value": [1, str(number)]}]
    return body({"resultType": "vector", "result": result})


def body(data, status=200):
    text = json.dumps({"status": "success", "data": data}).encode()
    return HttpResponse(status=status, headers={}, body=text)


NOTHING = body({"resultType": "vector", "result": []})
DOWN = HttpResponse(status=503, headers={}, body=b"starting")


class Prometheus(FakeOutbound):
    def send(self, request):
        answer = super().send(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def watch(*answers, seconds=15, **more):
    """Ask once for each answer, so many seconds apart; return the results."""
    outbound = Prometheus(*answers)
    secrets = FakeSecrets({"prom/token": CANARY}, host="prom.example")
    runner = STEP_TYPE.make(capabilities(outbound=outbound, secrets=secrets))
    results, memo = [], {}
    for number in range(len(answers)):
        context = a_context(
            STEP_TYPE,
            QUERY | more,
            look=number,
            memo=memo,
            now=NOW + number * timedelta(seconds=seconds),
        )
        result = runner.look(context) if number else runner.attempt(context)
        results.append(result)
        memo = result.memo
        if result.phase is not Phase.RUNNING:
            break
    return outbound, results


def test_the_query_goes_to_the_instant_query_api():
    outbound, [result] = watch(
        value(0.99), metricEndpoint="http://prom.example:9090/prometheus/"
    )

    [request] = outbound.sent
    parts = urlsplit(request.url)
    assert (request.method, parts.netloc, parts.path) == (
        "GET",
        "prom.example:9090",
        "/prometheus/api/v1/query",
    )
    assert parse_qs(parts.query) == {"query": ["sum(rate(ok[5m]))"]}
    assert result.phase is Phase.RUNNING
    assert result.retry_after == timedelta(seconds=15)


def test_the_step_succeeds_once_the_condition_held_for_its_duration():
    _, results = watch(*[value(0.97, job="web")] * 30, duration="1m")

    last = results[-1]
    assert len(results) == 5
    assert last.phase is Phase.SUCCEEDED
    assert last.message == "value 0.97: >=0.95 holds for 1m"
    assert last.outputs == {"value": 0.97, "metric": {"job": "web"}}


def test_the_step_really_fails_once_the_condition_failed_for_its_fail_duration():
    _, results = watch(*[value(0.5)] * 30, failDuration="1m")

    last = results[-1]
    assert len(results) == 5
    assert (last.phase, last.reason) == (Phase.FAILED, "ConditionNotMet")
    assert last.message == "value 0.5: >=0.95 does not hold for 1m"


def test_a_good_value_between_bad_ones_keeps_the_step_going():
    answers = [value(0.5), value(0.5), value(0.5), value(0.99)] * 4

    _, results = watch(*answers, failDuration="1m", duration="5m")

    assert [r.phase for r in results] == [Phase.RUNNING] * 16


def test_no_data_is_borne_for_a_while_and_then_fails():
    _, results = watch(*[NOTHING] * 30, failDuration="30s")

    assert [r.phase for r in results] == [Phase.RUNNING] * 2 + [Phase.FAILED]
    assert results[-1].message.startswith("value no data: ")
    assert results[-1].outputs["value"] is None


def test_what_cannot_be_asked_counts_for_nothing():
    refused = TransientError("connection refused")
    answers = [value(1), value(1), refused, DOWN, value(1), value(1), value(1)]

    _, results = watch(*answers, duration="30s")

    assert [r.phase for r in results] == [Phase.RUNNING] * 6 + [Phase.SUCCEEDED]
    assert results[2].message == "cannot ask: connection refused"
    assert results[3].message == "cannot ask: HTTP 503: starting"
    assert results[3].reason == "ExecutionError"


def test_the_last_pause_is_no_longer_than_what_is_left():
    _, results = watch(value(1), value(1), duration="20s")

    assert results[-1].retry_after == timedelta(seconds=5)


def test_a_query_that_prometheus_does_not_understand_fails_in_its_words():
    wrong = HttpResponse(status=400, headers={}, body=b"parse error: unexpected )")

    with pytest.raises(TerminalError, match="parse error: unexpected"):
        watch(wrong)


def test_two_series_fail_the_step_at_once():
    result = [{"metric": {"pod": p}, "value": [1, "1"]} for p in "ab"]

    with pytest.raises(TerminalError, match="2 series"):
        watch(body({"resultType": "vector", "result": result}))


def test_a_header_from_a_secret_goes_to_hosts_of_its_grant_only():
    headers = {"Authorization": {"secretRef": {"name": "prom", "key": "token"}}}
    endpoint = "https://prom.example"

    outbound, _ = watch(value(1), headers=headers, metricEndpoint=endpoint)

    sent = outbound.sent[0].headers["Authorization"]
    assert isinstance(sent, Secret)
    assert sent.reveal() == CANARY
    with pytest.raises(TerminalError, match=r"may not be sent to evil\.example"):
        watch(value(1), headers=headers, metricEndpoint="https://evil.example")


def test_an_answer_that_repeats_the_token_is_shown_without_it():
    headers = {"Authorization": {"secretRef": {"name": "prom", "key": "token"}}}
    echo = HttpResponse(status=403, headers={}, body=f"no: {CANARY}".encode())

    with pytest.raises(TerminalError) as caught:
        watch(echo, headers=headers, metricEndpoint="https://prom.example")

    assert CANARY not in str(caught.value)


def test_the_defaults_are_kubevelas():
    properties = STEP_TYPE.properties.model_validate(QUERY)

    assert properties.metric_endpoint.value == (
        "http://prometheus-server.o11y-system.svc:9090"
    )
    assert properties.duration == timedelta(minutes=5)
    assert properties.fail_duration == timedelta(minutes=2)
    assert STEP_TYPE.takes(properties) == timedelta(minutes=5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"condition": "good"},
        {"interval": "10ms"},
        {"metricEndpoint": "http://prom.example?tenant=a"},
        {"headers": {"Authorization": {"value": "token"}}},
    ],
)
def test_wrong_properties_are_refused(wrong):
    with pytest.raises(ValidationError):
        STEP_TYPE.properties.model_validate(QUERY | wrong)
