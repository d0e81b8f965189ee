"""check-metrics: asks Prometheus until a condition held, or failed, for long enough."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

from pydantic import BaseModel, Field, field_validator

from gitops_wf.core.durations import format_duration
from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.metrics import MetricCondition, Sample, Watch, sample_of
from gitops_wf.core.notifications.verdict import Answer, Refused, RetryIn, judge_http
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.core.redaction import redact
from gitops_wf.core.secret import Secret
from gitops_wf.delivery.granted import GrantedSecrets, told_url
from gitops_wf.ports.outbound import HttpRequest, Outbound
from gitops_wf.ports.properties import Duration, Properties, SecretSource, UrlSource
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType
from gitops_wf.ports.secrets import Secrets

ENDPOINT = "http://prometheus-server.o11y-system.svc:9090"
"""KubeVela's default: the address of its observability addon."""

_MISSED = 3
"""How many questions may be missed before what was seen no longer counts."""


class CheckMetricsProperties(Properties):
    """What the step takes; the names are KubeVela's."""

    query: str = Field(
        min_length=1,
        max_length=4000,
        description="PromQL that gives one value: a scalar, or a vector of one.",
    )
    condition: str = Field(
        description="What the value must be: a comparison such as `>=0.95`, or CEL "
        "over `value`."
    )
    metric_endpoint: UrlSource = Field(
        default=UrlSource(value=ENDPOINT),
        description="Address of the Prometheus, without /api/v1.",
    )
    duration: Duration = Field(
        default=timedelta(minutes=5),
        description="For how long the condition must hold without a break.",
    )
    fail_duration: Duration = Field(
        default=timedelta(minutes=2),
        description="For how long it may fail to hold before the step fails.",
    )
    interval: Duration = Field(
        default=timedelta(seconds=15), description="The pause between two questions."
    )
    headers: Mapping[str, str | SecretSource] = Field(
        default_factory=dict,
        description="Headers by name: text, or {secretRef: {name, key}}.",
    )

    @field_validator("condition")
    @classmethod
    def _is_condition(cls, value: str) -> str:
        MetricCondition.parse(value)
        return value

    @field_validator("interval")
    @classmethod
    def _is_pause(cls, value: timedelta) -> timedelta:
        if value < timedelta(seconds=1):
            raise ValueError("an interval is 1s at least")
        return value

    @field_validator("metric_endpoint")
    @classmethod
    def _is_base(cls, value: UrlSource) -> UrlSource:
        if value.value is not None and ("?" in value.value or "#" in value.value):
            raise ValueError("the address has no query; what is needed goes to headers")
        return value


class CheckMetricsRunner:
    """Asks once an attempt and once a look; what it has seen stands in the memo."""

    def __init__(self, outbound: Outbound, secrets: Secrets) -> None:
        self._outbound = outbound
        self._secrets = secrets

    def attempt(self, context: StepContext) -> StepResult:
        """Ask for the first time: an attempt knows nothing of the one before."""
        return self._asked(context, Watch())

    def plan(self, context: StepContext) -> Planned:
        """Return what it asks, and what for."""
        properties = cast("CheckMetricsProperties", context.properties)
        where = told_url(properties.metric_endpoint)
        span = format_duration(properties.duration)
        text = f"asks {where} until {properties.condition} has held for {span}"
        return Planned(effects=(f"{text}: {cut(properties.query)}",))

    def look(self, context: StepContext) -> StepResult:
        """Ask again, and judge by what was seen since the attempt."""
        return self._asked(context, _watch(context.memo))

    def _asked(self, context: StepContext, watch: Watch) -> StepResult:
        properties = cast("CheckMetricsProperties", context.properties)
        try:
            sample = self._sample(context, properties)
        except TransientError as exc:
            # What is not seen is neither good nor bad: both begin anew.
            return StepResult(
                phase=Phase.RUNNING,
                reason=Reason.EXECUTION_ERROR,
                message=f"cannot ask: {exc}",
                retry_after=max(
                    properties.interval, exc.retry_after or properties.interval
                ),
                memo=_memo(Watch()),
            )
        condition = MetricCondition.parse(properties.condition)
        is_good = sample.value is not None and condition.holds(sample.value)
        watch = watch.after(
            is_good, context.now, gap=properties.interval * _MISSED + _SLACK
        )
        return _judged(context, properties, sample, watch)

    def _sample(
        self, context: StepContext, properties: CheckMetricsProperties
    ) -> Sample:
        granted = GrantedSecrets(
            secrets=self._secrets, environment=context.subject.environment
        )
        source = properties.metric_endpoint.model_dump(by_alias=True, exclude_none=True)
        where = granted.destination(source)
        headers = granted.headers(properties.headers, host=where.host)
        response = self._outbound.send(
            HttpRequest(
                method="GET",
                url=_url(where.url, properties.query),
                headers={"Accept": "application/json", **headers},
            )
        )
        secrets = [value for value in headers.values() if isinstance(value, Secret)]
        text = redact(
            response.body.decode("utf-8", "replace"), (*where.secrets, *secrets)
        )
        answer = Answer(status=response.status, headers=response.headers, text=text)
        verdict = judge_http(answer, context.now)
        if isinstance(verdict, RetryIn):
            raise TransientError(verdict.detail, retry_after=verdict.after)
        if isinstance(verdict, Refused):
            raise TerminalError(verdict.detail, reason="QueryRefused")
        if response.is_cut:
            raise TerminalError(
                "the answer is too large: aggregate the query to one value",
                reason="InvalidQuery",
            )
        return sample_of(text)


_SLACK = timedelta(seconds=30)


def _url(base: str | Secret, query: str) -> str | Secret:
    plain = base.reveal() if isinstance(base, Secret) else base
    path = plain.rstrip("/").removesuffix("/api/v1")
    url = f"{path}/api/v1/query?{urlencode({'query': query})}"
    return Secret(url) if isinstance(base, Secret) else url


def _judged(
    context: StepContext,
    properties: CheckMetricsProperties,
    sample: Sample,
    watch: Watch,
) -> StepResult:
    value = sample.value
    shown = "no data" if value is None else f"{value:.6g}"
    outputs = {
        "value": value if value is not None and math.isfinite(value) else None,
        "metric": dict(sample.labels),
    }
    held = watch.verdict(
        context.now, good_for=properties.duration, bad_for=properties.fail_duration
    )
    if held is not None:
        span = properties.duration if held else properties.fail_duration
        how = "holds" if held else "does not hold"
        text = (
            f"value {shown}: {properties.condition} {how} for {format_duration(span)}"
        )
        return StepResult(
            phase=Phase.SUCCEEDED if held else Phase.FAILED,
            reason="" if held else "ConditionNotMet",
            message=text,
            outputs=outputs,
            memo=_memo(watch),
        )
    is_good = watch.good_since is not None
    since = watch.good_since or watch.bad_since or context.now
    span = properties.duration if is_good else properties.fail_duration
    left = since + span - context.now
    how = "holds" if is_good else "does not hold"
    return StepResult(
        phase=Phase.RUNNING,
        message=f"value {shown}: {properties.condition} {how} since"
        f" {format_duration(context.now - since)} of {format_duration(span)}",
        outputs=outputs,
        retry_after=min(properties.interval, left),
        memo=_memo(watch),
    )


def _memo(watch: Watch) -> dict[str, Any]:
    """Return what the next look has to know; an empty one would leave the last."""
    return {
        "good": watch.good_since and watch.good_since.isoformat(),
        "bad": watch.bad_since and watch.bad_since.isoformat(),
        "seen": watch.seen and watch.seen.isoformat(),
    }


def _watch(memo: Mapping[str, Any]) -> Watch:
    def moment(key: str) -> datetime | None:
        text = memo.get(key)
        return datetime.fromisoformat(text) if text else None

    return Watch(
        good_since=moment("good"), bad_since=moment("bad"), seen=moment("seen")
    )


def _takes(properties: BaseModel) -> timedelta:
    assert isinstance(properties, CheckMetricsProperties)
    return properties.duration


def _make(capabilities: Capabilities) -> CheckMetricsRunner:
    return CheckMetricsRunner(capabilities.outbound, capabilities.secrets)


STEP_TYPE = StepType(
    name="check-metrics",
    properties=CheckMetricsProperties,
    make=_make,
    default_timeout=timedelta(minutes=30),
    takes=_takes,
    output_roots=("value", "metric"),
    summary="ask Prometheus until a condition held, or failed, for long enough",
)
