"""Defaults of workloads (apps, batch, autoscaling) and of admission policies."""

from collections.abc import Callable, Mapping
from typing import Any

Object = dict[str, Any]

_POLICY = {"failurePolicy": "Fail"}
_SELECTORS = {
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
}
_WEBHOOK = _POLICY | _SELECTORS | {"timeoutSeconds": 10}
_SCALING_PERIOD = 15

VALUES: Mapping[str, Mapping[str, Any]] = {
    "apps.v1.DeploymentSpec": {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    },
    "apps.v1.StatefulSetSpec": {
        "replicas": 1,
        "podManagementPolicy": "OrderedReady",
        "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {},
    },
    "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy": {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    },
    "apps.v1.DaemonSetSpec": {"revisionHistoryLimit": 10},
    "apps.v1.ReplicaSetSpec": {"replicas": 1},
    "apps.v1.DeploymentStrategy": {"type": "RollingUpdate"},
    "apps.v1.StatefulSetUpdateStrategy": {"type": "RollingUpdate"},
    "apps.v1.DaemonSetUpdateStrategy": {"type": "RollingUpdate"},
    "batch.v1.CronJobSpec": {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    },
    "batch.v1.PodFailurePolicyOnPodConditionsPattern": {"status": "True"},
    "autoscaling.v1.HorizontalPodAutoscalerSpec": {"minReplicas": 1},
    "autoscaling.v2.HorizontalPodAutoscalerSpec": {"minReplicas": 1},
    "admissionregistration.v1.ValidatingAdmissionPolicySpec": _POLICY,
    "admissionregistration.v1.MutatingAdmissionPolicySpec": _POLICY,
    "admissionregistration.v1.MatchResources": _SELECTORS,
    "admissionregistration.v1.ValidatingWebhook": _WEBHOOK,
    "admissionregistration.v1.MutatingWebhook": _WEBHOOK
    | {"reinvocationPolicy": "Never"},
    "admissionregistration.v1.RuleWithOperations": {"scope": "*"},
    "admissionregistration.v1.NamedRuleWithOperations": {"scope": "*"},
    "admissionregistration.v1.ServiceReference": {"port": 443},
}


def _rolling(**values: Any) -> Callable[[Object], None]:
    def rule(strategy: Object) -> None:
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            for name, value in values.items():
                rolling.setdefault(name, value)

    return rule


def _daemon_set(daemon_set: Object) -> None:
    # What the conversion makes of the generation that v1 no longer has as a field.
    annotations = daemon_set["metadata"].setdefault("annotations", {})
    annotations.setdefault("deprecated.daemonset.template.generation", "0")


def _stateful_set(spec: Object) -> None:
    for claim in spec.get("volumeClaimTemplates", ()):
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")


def _job(job: Object) -> None:
    """Of a Job itself; the template in a CronJob has none of these."""
    spec = job["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    per_index = "backoffLimitPerIndex" in spec
    spec.setdefault("backoffLimit", 2**31 - 1 if per_index else 6)
    spec.setdefault("manualSelector", False)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    replaced = "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"
    spec.setdefault("podReplacementPolicy", replaced)
    labels = spec["template"]["metadata"].get("labels")
    if labels and not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(labels)


def _hpa(spec: Object) -> None:
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        resource = {"name": "cpu", "target": target}
        spec["metrics"] = [{"type": "Resource", "resource": resource}]


def _hpa_behavior(behavior: Object) -> None:
    percent = {"type": "Percent", "value": 100, "periodSeconds": _SCALING_PERIOD}
    pods = {"type": "Pods", "value": 4, "periodSeconds": _SCALING_PERIOD}
    up = behavior.setdefault("scaleUp", {})
    up.setdefault("stabilizationWindowSeconds", 0)
    up.setdefault("selectPolicy", "Max")
    up.setdefault("policies", [pods, percent])
    down = behavior.setdefault("scaleDown", {})
    down.setdefault("selectPolicy", "Max")
    down.setdefault("policies", [dict(percent)])


RULES: Mapping[str, Callable[[Object], None]] = {
    "apps.v1.DeploymentStrategy": _rolling(maxUnavailable="25%", maxSurge="25%"),
    "apps.v1.DaemonSetUpdateStrategy": _rolling(maxUnavailable=1, maxSurge=0),
    "apps.v1.StatefulSetUpdateStrategy": _rolling(partition=0),
    "apps.v1.StatefulSetSpec": _stateful_set,
    "apps.v1.DaemonSet": _daemon_set,
    "batch.v1.Job": _job,
    "autoscaling.v2.HorizontalPodAutoscalerSpec": _hpa,
    "autoscaling.v2.HorizontalPodAutoscalerBehavior": _hpa_behavior,
}
