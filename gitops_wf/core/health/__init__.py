"""How well a Kubernetes object is: kstatus rules, rules as data, and failing pods.

Pure functions over plain objects, so that `gitops-wf health -f` and the daemon say
the same. The words and rules are those of sigs.k8s.io/cli-utils kstatus.
"""

from gitops_wf.core.health.compute import health_of
from gitops_wf.core.health.failfast import Surroundings, workload_health
from gitops_wf.core.health.rules import NO_RULES, HealthRule, HealthRules
from gitops_wf.core.health.status import Health, HealthStatus, worst

__all__ = [
    "NO_RULES",
    "Health",
    "HealthRule",
    "HealthRules",
    "HealthStatus",
    "Surroundings",
    "health_of",
    "workload_health",
    "worst",
]
