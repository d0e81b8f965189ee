"""The messages that kubectl's typed commands send, by their field numbers.

They are those of the published `generated.proto` files of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class F:
    """A field: its name, its message or scalar type, and how it repeats.

    Scalars are string, int, bool, bytes, time, intstr and quantity.
    """

    name: str
    type: str
    repeats: Literal["", "list", "map"] = ""


Message = Mapping[int, F]


def _object(spec: str = "", status: bool = True) -> Message:  # noqa: FBT001, FBT002
    found = {1: F("metadata", "ObjectMeta")}
    if spec:
        found[2] = F("spec", spec)
    if status:
        found[3] = F("status", "Any")
    return found


MESSAGES: Mapping[str, Message] = {
    "Any": {},
    "ObjectMeta": {
        1: F("name", "string"),
        2: F("generateName", "string"),
        3: F("namespace", "string"),
        4: F("selfLink", "string"),
        5: F("uid", "string"),
        6: F("resourceVersion", "string"),
        7: F("generation", "int"),
        8: F("creationTimestamp", "time"),
        9: F("deletionTimestamp", "time"),
        10: F("deletionGracePeriodSeconds", "int"),
        11: F("labels", "string", "map"),
        12: F("annotations", "string", "map"),
        13: F("ownerReferences", "OwnerReference", "list"),
        14: F("finalizers", "string", "list"),
    },
    "OwnerReference": {
        1: F("kind", "string"),
        3: F("name", "string"),
        4: F("uid", "string"),
        5: F("apiVersion", "string"),
        6: F("controller", "bool"),
        7: F("blockOwnerDeletion", "bool"),
    },
    "DeleteOptions": {
        1: F("gracePeriodSeconds", "int"),
        2: F("preconditions", "Preconditions"),
        3: F("orphanDependents", "bool"),
        4: F("propagationPolicy", "string"),
        5: F("dryRun", "string", "list"),
    },
    "Preconditions": {1: F("uid", "string"), 2: F("resourceVersion", "string")},
    "Namespace": _object("NamespaceSpec"),
    "NamespaceSpec": {1: F("finalizers", "string", "list")},
    "ConfigMap": {
        1: F("metadata", "ObjectMeta"),
        2: F("data", "string", "map"),
        3: F("binaryData", "bytes", "map"),
        4: F("immutable", "bool"),
    },
    "Secret": {
        1: F("metadata", "ObjectMeta"),
        2: F("data", "bytes", "map"),
        3: F("type", "string"),
        4: F("stringData", "string", "map"),
        5: F("immutable", "bool"),
    },
    "ServiceAccount": {1: F("metadata", "ObjectMeta")},
    "Service": _object("ServiceSpec"),
    "ServiceSpec": {
        1: F("ports", "ServicePort", "list"),
        2: F("selector", "string", "map"),
        3: F("clusterIP", "string"),
        4: F("type", "string"),
        5: F("externalIPs", "string", "list"),
        7: F("sessionAffinity", "string"),
        8: F("loadBalancerIP", "string"),
        10: F("externalName", "string"),
        18: F("clusterIPs", "string", "list"),
    },
    "ServicePort": {
        1: F("name", "string"),
        2: F("protocol", "string"),
        3: F("port", "int"),
        4: F("targetPort", "intstr"),
        5: F("nodePort", "int"),
    },
    "LabelSelector": {
        1: F("matchLabels", "string", "map"),
        2: F("matchExpressions", "LabelSelectorRequirement", "list"),
    },
    "LabelSelectorRequirement": {
        1: F("key", "string"),
        2: F("operator", "string"),
        3: F("values", "string", "list"),
    },
    "Deployment": _object("DeploymentSpec"),
    "DeploymentSpec": {
        1: F("replicas", "int"),
        2: F("selector", "LabelSelector"),
        3: F("template", "PodTemplateSpec"),
        4: F("strategy", "Any"),
        5: F("minReadySeconds", "int"),
        6: F("revisionHistoryLimit", "int"),
        7: F("paused", "bool"),
        9: F("progressDeadlineSeconds", "int"),
    },
    "PodTemplateSpec": {1: F("metadata", "ObjectMeta"), 2: F("spec", "PodSpec")},
    "Pod": _object("PodSpec"),
    "PodSpec": {
        2: F("containers", "Container", "list"),
        3: F("restartPolicy", "string"),
        4: F("terminationGracePeriodSeconds", "int"),
        5: F("activeDeadlineSeconds", "int"),
        6: F("dnsPolicy", "string"),
        7: F("nodeSelector", "string", "map"),
        8: F("serviceAccountName", "string"),
        9: F("serviceAccount", "string"),
        10: F("nodeName", "string"),
        11: F("hostNetwork", "bool"),
        12: F("hostPID", "bool"),
        13: F("hostIPC", "bool"),
        14: F("securityContext", "Any"),
        16: F("hostname", "string"),
        17: F("subdomain", "string"),
        19: F("schedulerName", "string"),
        20: F("initContainers", "Container", "list"),
    },
    "Container": {
        1: F("name", "string"),
        2: F("image", "string"),
        3: F("command", "string", "list"),
        4: F("args", "string", "list"),
        5: F("workingDir", "string"),
        6: F("ports", "ContainerPort", "list"),
        7: F("env", "EnvVar", "list"),
        8: F("resources", "ResourceRequirements"),
        13: F("terminationMessagePath", "string"),
        14: F("imagePullPolicy", "string"),
        16: F("stdin", "bool"),
        17: F("stdinOnce", "bool"),
        18: F("tty", "bool"),
        20: F("terminationMessagePolicy", "string"),
    },
    "ContainerPort": {
        1: F("name", "string"),
        2: F("hostPort", "int"),
        3: F("containerPort", "int"),
        4: F("protocol", "string"),
        5: F("hostIP", "string"),
    },
    "EnvVar": {1: F("name", "string"), 2: F("value", "string")},
    "ResourceRequirements": {
        1: F("limits", "quantity", "map"),
        2: F("requests", "quantity", "map"),
    },
    "Job": _object("JobSpec"),
    "JobSpec": {
        1: F("parallelism", "int"),
        2: F("completions", "int"),
        3: F("activeDeadlineSeconds", "int"),
        4: F("selector", "LabelSelector"),
        5: F("manualSelector", "bool"),
        6: F("template", "PodTemplateSpec"),
        7: F("backoffLimit", "int"),
        8: F("ttlSecondsAfterFinished", "int"),
        9: F("completionMode", "string"),
        10: F("suspend", "bool"),
    },
    "CronJob": _object("CronJobSpec"),
    "CronJobSpec": {
        1: F("schedule", "string"),
        2: F("startingDeadlineSeconds", "int"),
        3: F("concurrencyPolicy", "string"),
        4: F("suspend", "bool"),
        5: F("jobTemplate", "JobTemplateSpec"),
        6: F("successfulJobsHistoryLimit", "int"),
        7: F("failedJobsHistoryLimit", "int"),
        8: F("timeZone", "string"),
    },
    "JobTemplateSpec": {1: F("metadata", "ObjectMeta"), 2: F("spec", "JobSpec")},
    "Role": {1: F("metadata", "ObjectMeta"), 2: F("rules", "PolicyRule", "list")},
    "ClusterRole": {
        1: F("metadata", "ObjectMeta"),
        2: F("rules", "PolicyRule", "list"),
    },
    "PolicyRule": {
        1: F("verbs", "string", "list"),
        2: F("apiGroups", "string", "list"),
        3: F("resources", "string", "list"),
        4: F("resourceNames", "string", "list"),
        5: F("nonResourceURLs", "string", "list"),
    },
    "RoleBinding": {
        1: F("metadata", "ObjectMeta"),
        2: F("subjects", "Subject", "list"),
        3: F("roleRef", "RoleRef"),
    },
    "ClusterRoleBinding": {
        1: F("metadata", "ObjectMeta"),
        2: F("subjects", "Subject", "list"),
        3: F("roleRef", "RoleRef"),
    },
    "Subject": {
        1: F("kind", "string"),
        2: F("apiGroup", "string"),
        3: F("name", "string"),
        4: F("namespace", "string"),
    },
    "RoleRef": {
        1: F("apiGroup", "string"),
        2: F("kind", "string"),
        3: F("name", "string"),
    },
    "SelfSubjectAccessReview": _object("SelfSubjectAccessReviewSpec"),
    "SelfSubjectAccessReviewSpec": {
        1: F("resourceAttributes", "ResourceAttributes"),
        2: F("nonResourceAttributes", "NonResourceAttributes"),
    },
    "ResourceAttributes": {
        1: F("namespace", "string"),
        2: F("verb", "string"),
        3: F("group", "string"),
        4: F("version", "string"),
        5: F("resource", "string"),
        6: F("subresource", "string"),
        7: F("name", "string"),
    },
    "NonResourceAttributes": {1: F("path", "string"), 2: F("verb", "string")},
    "SelfSubjectRulesReview": _object("SelfSubjectRulesReviewSpec"),
    "SelfSubjectRulesReviewSpec": {1: F("namespace", "string")},
    "SelfSubjectReview": {1: F("metadata", "ObjectMeta"), 2: F("status", "Any")},
}


# The kinds that may be the body of a request.
ROOTS = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "CronJob",
        "DeleteOptions",
        "Deployment",
        "Job",
        "Namespace",
        "Pod",
        "Role",
        "RoleBinding",
        "Secret",
        "SelfSubjectAccessReview",
        "SelfSubjectReview",
        "SelfSubjectRulesReview",
        "Service",
        "ServiceAccount",
    }
)
