"""Writes docs/operations/metrics.md from the metrics themselves.

``python -m tests.metrics_page`` writes it anew; a test says when that is needed.
"""

from pathlib import Path

from gitops_wf.web.measures import MEASURES, STEP_BUCKETS

PAGE = Path(__file__).parents[1] / "docs" / "operations" / "metrics.md"

_HEAD = """\
<!-- Written by `python -m tests.metrics_page` from gitops_wf/web/measures.py -->
# Metrics

With `server: 127.0.0.1:8080` in the daemon config, `GET /metrics` answers in the text format of Prometheus.
Names follow those of Flux and Argo CD where they have the like. Names and labels stay; new ones may come.

- Gauges are read from the store at each scrape, so they hold across restarts. If the store does not answer, the scrape fails with 503.
- Counters and the histogram count what this process did since it started; use `rate()` or `increase()`.
- Beside these there are `process_*`, as from any Prometheus client.

| metric | type | labels | says | as |
|---|---|---|---|---|
"""

_TAIL = """
## Alerts to begin with

```yaml
groups:
  - name: gitops-wf
    rules:
      - alert: RevisionFailed
        expr: gitops_wf_resource_info{phase=~"Failed|Errored"} == 1
        for: 5m
      - alert: RepositoryNotPolled
        expr: time() - gitops_wf_last_poll_timestamp_seconds > 900 or gitops_wf_repository_ready == 0
        for: 10m
      - alert: TargetUnreachable
        expr: gitops_wf_target_ready == 0
      - alert: DriftNotLookedFor
        expr: time() - gitops_wf_drift_last_comparison_timestamp_seconds > 3 * 300  # three times your `drift.interval`
      - alert: MessagesGivenUp
        expr: increase(gitops_wf_notifications_deliveries_total{succeeded="false"}[1h]) > 0
```

## Probes

| path | 200 | 503 |
|---|---|---|
| `/healthz` | every loop of the process (`ticks`, `polls`, `reminder`, `messages`, `clock`, `upkeep`, `targets`) turned within two minutes | `message` names the loop that stopped: start the process anew |
| `/readyz` | the store answers, and every repository was polled, or has a condition that says why not | `store` or `repositories` says what is missing |
"""


def page() -> str:
    """The page as it should be."""
    buckets = ", ".join(f"{bound:g}" for bound in STEP_BUCKETS)
    rows = []
    for each in MEASURES:
        says = each.about
        if each.kind == "histogram":
            says += f" Buckets: {buckets}."
        labels = ", ".join(f"`{label}`" for label in each.labels)
        rows.append(
            f"| `{each.name}` | {each.kind} | {labels} | {says} | {each.follows} |\n"
        )
    return _HEAD + "".join(rows) + _TAIL


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
