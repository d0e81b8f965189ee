"""The metrics by name; named after Flux's and Argo CD's, so that dashboards carry over.

Names and labels are promised to those who watch the daemon: add to them, never rename.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One metric: its name, type and labels, what it says and whose name it follows."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    labels: tuple[str, ...] = ()
    follows: str = ""


BUILD = Measure(
    name="gitops_wf_build_info",
    kind="gauge",
    about="Always 1; which version runs.",
    labels=("version",),
)
RESOURCE = Measure(
    name="gitops_wf_resource_info",
    kind="gauge",
    about="Always 1, once for each environment: the phase and commit of its newest"
    " revision (empty before the first), and whether environment.yaml or a pause"
    " suspends it.",
    labels=("environment", "repository", "phase", "suspended", "revision"),
    follows="Flux gotk_resource_info",
)
REPOSITORY_READY = Measure(
    name="gitops_wf_repository_ready",
    kind="gauge",
    about="1 where the last poll of the repository went well, else 0.",
    labels=("repository",),
    follows="Flux gotk_resource_info{ready}",
)
POLL_FAILURES = Measure(
    name="gitops_wf_repository_poll_failures",
    kind="gauge",
    about="Polls of the repository that have failed in a row.",
    labels=("repository",),
)
ACTIVE_RUNS = Measure(
    name="gitops_wf_runs_active",
    kind="gauge",
    about="Runs that have not ended, by phase; Suspended ones wait for people.",
    labels=("phase",),
)
QUEUE = Measure(
    name="gitops_wf_queue_depth",
    kind="gauge",
    about="Attempts of steps that were asked for and have not begun, those that wait"
    " for the time of their next try or look included.",
    follows="Argo CD workqueue_depth",
)
RUNS = Measure(
    name="gitops_wf_runs_total",
    kind="counter",
    about="Runs that ended in this process, by the phase they ended in.",
    labels=("phase",),
    follows="Argo CD argocd_app_sync_total{phase}",
)
STEPS = Measure(
    name="gitops_wf_step_duration_seconds",
    kind="histogram",
    about="Time from a step's start to its end, waits for people included, by the"
    " step's type and the phase it ended in; skipped steps and groups are left out.",
    labels=("type", "phase"),
    follows="Flux gotk_reconcile_duration_seconds",
)
GIT_REQUESTS = Measure(
    name="gitops_wf_git_requests_total",
    kind="counter",
    about="Requests to Git remotes: kind is ls-remote or fetch, result succeeded or"
    " failed.",
    labels=("repository", "kind", "result"),
    follows="Argo CD argocd_git_request_total{request_type}",
)
POLLS = Measure(
    name="gitops_wf_polls_total",
    kind="counter",
    about="Polls of the repository that ended; result is succeeded or failed.",
    labels=("repository", "result"),
)
LAST_POLL = Measure(
    name="gitops_wf_last_poll_timestamp_seconds",
    kind="gauge",
    about="When a poll of the repository ended last, in seconds since 1970, however it"
    " went; absent before this process's first.",
    labels=("repository",),
)
DELIVERIES = Measure(
    name="gitops_wf_notifications_deliveries_total",
    kind="counter",
    about="Messages that were sent (succeeded true) or given up (false), by the kind"
    " of channel.",
    labels=("kind", "succeeded"),
    follows="Argo CD argocd_notifications_deliveries_total",
)
IN_FLIGHT = Measure(
    name="gitops_wf_work_in_flight",
    kind="gauge",
    about="Work that this process carries out now; kind is attempt (of a step) or"
    " delivery (of a message).",
    labels=("kind",),
    follows="Argo CD workqueue_unfinished_work_seconds",
)

DRIFTED = Measure(
    name="gitops_wf_drifted_objects",
    kind="gauge",
    about="Objects of a released revision that differ from Git; only where there are"
    " any.",
    labels=("environment", "repository", "target"),
    follows="Argo CD argocd_app_info{sync_status}",
)
DEGRADED = Measure(
    name="gitops_wf_degraded",
    kind="gauge",
    about="1 where objects of a released revision are not well, for so long that it was"
    " told; else absent.",
    labels=("environment", "repository", "target"),
    follows="Argo CD argocd_app_info{health_status}",
)
TARGET_READY = Measure(
    name="gitops_wf_target_ready",
    kind="gauge",
    about="1 where the target answers, 0 where it has not for so long that it was"
    " told; absent before it was asked first.",
    labels=("target",),
    follows="Argo CD argocd_cluster_connection_status",
)
LAST_COMPARISON = Measure(
    name="gitops_wf_drift_last_comparison_timestamp_seconds",
    kind="gauge",
    about="When a released revision was last compared with the target and found out"
    " about, in seconds since 1970, to some 15 seconds; absent before the first.",
    labels=("target",),
)
COMPARISONS = Measure(
    name="gitops_wf_drift_comparisons_total",
    kind="counter",
    about="Comparisons of released revisions with a target; result is succeeded, or"
    " failed where it could not be found out.",
    labels=("target", "result"),
    follows="Argo CD argocd_app_reconcile",
)
HEALS = Measure(
    name="gitops_wf_drift_heals_total",
    kind="counter",
    about="How often what had drifted on a target was applied again (succeeded), or"
    " could not be (failed).",
    labels=("target", "result"),
)
DELETED = Measure(
    name="gitops_wf_housekeeping_deleted_total",
    kind="counter",
    about="What housekeeping deleted: kind is revisions, runs, steps, decisions,"
    " events, messages, executions (of the queue), environments, repositories, refs or"
    " clones.",
    labels=("kind",),
)
HOUSEKEEPING = Measure(
    name="gitops_wf_housekeeping_duration_seconds",
    kind="gauge",
    about="How long the last round of housekeeping took, its rests included.",
)
LAST_HOUSEKEEPING = Measure(
    name="gitops_wf_housekeeping_last_success_timestamp_seconds",
    kind="gauge",
    about="When a round of housekeeping last went well, in seconds since 1970; 0 before"
    " this process's first.",
)

MEASURES = (
    *(BUILD, RESOURCE, REPOSITORY_READY, POLL_FAILURES, ACTIVE_RUNS, QUEUE),
    *(RUNS, STEPS, GIT_REQUESTS, POLLS, LAST_POLL, DELIVERIES, IN_FLIGHT),
    *(TARGET_READY, DRIFTED, DEGRADED, LAST_COMPARISON, COMPARISONS, HEALS),
    *(DELETED, HOUSEKEEPING, LAST_HOUSEKEEPING),
)

STEP_BUCKETS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
"""Seconds: from a message sent at once to a day's wait for an approval."""
