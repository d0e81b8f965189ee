"""Defaults by kind, beyond the recorded objects."""

from typing import Any

import pytest

from gitops_wf.sandbox.fields.defaults import apply_defaults
from gitops_wf.sandbox.fields.defaults_core import pull_policy
from gitops_wf.sandbox.fields.schema import Schemas
from gitops_wf.sandbox.fields.stored import stored_form

SCHEMAS = Schemas.bundled()


def complete(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    schema = SCHEMAS.for_kind(api_version, kind)
    obj = {"metadata": {"name": "x"}} | fields
    return apply_defaults(stored_form(obj, schema), schema)


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("registry:5000/nginx", "Always"),
        ("registry:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:aa", "IfNotPresent"),
        ("nginx:latest@sha256:aa", "Always"),
        ("", "Always"),
    ],
)
def test_an_image_without_a_fixed_tag_is_always_pulled(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_a_recreate_strategy_has_no_rolling_update() -> None:
    made = complete("apps/v1", "Deployment", spec={"strategy": {"type": "Recreate"}})
    assert made["spec"]["strategy"] == {"type": "Recreate"}


def test_half_a_rolling_update_is_completed() -> None:
    rolling = {"rollingUpdate": {"maxSurge": 0}}
    made = complete("apps/v1", "Deployment", spec={"strategy": rolling})
    assert made["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": 0,
        "maxUnavailable": "25%",
    }


def test_a_zero_that_was_written_is_no_missing_value() -> None:
    made = complete(
        "apps/v1", "Deployment", spec={"replicas": 0, "revisionHistoryLimit": 0}
    )
    assert (made["spec"]["replicas"], made["spec"]["revisionHistoryLimit"]) == (0, 0)


def test_requests_are_filled_from_limits_in_a_pod_but_not_in_a_template() -> None:
    container = {
        "name": "a",
        "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}},
    }
    pod = complete("v1", "Pod", spec={"containers": [container]})
    template = {"spec": {"containers": [container]}}
    deployment = complete("apps/v1", "Deployment", spec={"template": template})
    own = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {
        "memory": "1Gi",
        "cpu": "1",
    }
    assert own["requests"] == {"memory": "1Gi"}


def test_host_ports_follow_container_ports_on_the_host_network() -> None:
    container = {"name": "a", "ports": [{"containerPort": 80}]}
    made = complete("v1", "Pod", spec={"hostNetwork": True, "containers": [container]})
    assert made["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "hostPort": 80, "protocol": "TCP"}
    ]


def test_string_data_becomes_data_and_wins() -> None:
    made = complete(
        "v1", "Secret", data={"a": "eA==", "b": "eQ=="}, stringData={"a": "z"}
    )
    assert made["data"] == {"a": "eg==", "b": "eQ=="}
    assert "stringData" not in made


@pytest.mark.parametrize(
    ("spec", "counts"),
    [({}, (1, 1)), ({"parallelism": 3}, (None, 3)), ({"completions": 3}, (3, 1))],
)
def test_a_job_counts_to_one_unless_it_says_otherwise(spec: Any, counts: Any) -> None:
    made = complete("batch/v1", "Job", spec=spec)["spec"]
    assert (made.get("completions"), made["parallelism"]) == counts


def test_the_template_of_a_cron_job_has_no_defaults_of_a_job() -> None:
    made = complete("batch/v1", "CronJob", spec={"jobTemplate": {"spec": {}}})
    assert set(made["spec"]["jobTemplate"]["spec"]) == {"template"}


def test_a_volume_without_a_source_is_an_empty_dir() -> None:
    made = complete("v1", "Pod", spec={"containers": [], "volumes": [{"name": "v"}]})
    assert made["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_a_policy_with_egress_rules_is_of_both_types() -> None:
    egress = {"podSelector": {}, "egress": [{}]}
    made = complete("networking.k8s.io/v1", "NetworkPolicy", spec=egress)
    assert made["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_a_session_affinity_by_client_has_a_timeout() -> None:
    made = complete("v1", "Service", spec={"sessionAffinity": "ClientIP"})
    assert made["spec"]["sessionAffinityConfig"] == {
        "clientIP": {"timeoutSeconds": 10800}
    }


def test_a_limit_range_of_containers_derives_its_defaults() -> None:
    item = {"type": "Container", "max": {"cpu": "2"}, "default": {"memory": "1Gi"}}
    [made] = complete("v1", "LimitRange", spec={"limits": [item]})["spec"]["limits"]
    assert made["default"] == {"memory": "1Gi", "cpu": "2"}
    assert made["defaultRequest"] == {"memory": "1Gi", "cpu": "2"}


def test_a_user_belongs_to_the_rbac_group_and_a_service_account_to_none() -> None:
    subjects = [{"kind": "User", "name": "a"}, {"kind": "ServiceAccount", "name": "b"}]
    made = complete(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        subjects=subjects,
        roleRef={"kind": "Role", "name": "r"},
    )
    assert [s.get("apiGroup") for s in made["subjects"]] == [
        "rbac.authorization.k8s.io",
        None,
    ]
    assert made["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"


def test_an_autoscaler_without_metrics_watches_the_cpu() -> None:
    spec = {"maxReplicas": 3, "behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}
    made = complete("autoscaling/v2", "HorizontalPodAutoscaler", spec=spec)["spec"]
    assert made["minReplicas"] == 1
    assert made["metrics"][0]["resource"]["target"]["averageUtilization"] == 80
    assert made["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"
    assert made["behavior"]["scaleUp"]["policies"][0]["type"] == "Pods"


def test_defaults_do_not_share_values_between_objects() -> None:
    first = complete("apiextensions.k8s.io/v1", "CustomResourceDefinition", spec={})
    first["spec"]["conversion"]["strategy"] = "Webhook"
    second = complete("apiextensions.k8s.io/v1", "CustomResourceDefinition", spec={})
    assert second["spec"]["conversion"] == {"strategy": "None"}
