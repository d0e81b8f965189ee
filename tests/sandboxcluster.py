"""A sandbox cluster whose clock only moves when a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.controllers.loop import ControllerLoop
from gitops_wf.sandbox.controllers.work import Pace
from gitops_wf.sandbox.statuses import ApiError
from gitops_wf.sandbox.storage import Storage

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Cluster:
    def __init__(self, storage: Storage | None = None, *, pace: Pace | None = None):
        self.now = START
        self.api = ObjectApi(
            storage or Storage(":memory:"), clock=lambda: self.now, random=Random(1)
        )
        self.loop = ControllerLoop(self.api, pace=pace or Pace(), ca="the CA")
        self.loop.begin()
        self.settle()

    def seconds(self) -> float:
        """How many seconds have passed."""
        return (self.now - START).total_seconds()

    def settle(self, seconds: float = 0) -> None:
        """Let this much time pass, stopping at each moment that somebody waits for."""
        end = self.now + timedelta(seconds=seconds)
        for _ in range(5000):
            due = self.loop.run_pending()
            if due is None or due > end:
                self.now = end
                return
            self.now = max(self.now, due)
        raise AssertionError("the controllers never come to rest")

    def create(self, resource, manifest):
        return self.api.create(
            self.api.resources.named(resource), manifest, manager="test"
        )

    def change(self, resource, name, edit, namespace="default"):
        manifest = self.get(resource, name, namespace)
        edit(manifest)
        return self.api.update(
            self.api.resources.named(resource), manifest, manager="test"
        )

    def get(self, resource, name, namespace="default"):
        return self.api.get(self.api.resources.named(resource), namespace, name)

    def find(self, resource, name, namespace="default"):
        try:
            return self.get(resource, name, namespace)
        except ApiError as error:
            if error.code != 404:
                raise
            return None

    def list(self, resource, namespace="default"):
        return self.api.list(self.api.resources.named(resource), namespace)

    def delete(self, resource, name, propagation="Background", namespace="default"):
        return self.api.delete(
            self.api.resources.named(resource),
            namespace,
            name,
            propagation=propagation,
        )

    def events(self, kind):
        def order(event):
            return int(event["metadata"]["resourceVersion"])

        return [
            (one["reason"], one["message"])
            for one in sorted(self.list("events"), key=order)
            if one["involvedObject"]["kind"] == kind
        ]


def template(image="nginx:1", app="web", **spec):
    """A pod template with the defaults that the server gives it."""
    container = {
        "name": "web",
        "image": image,
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {
            "containers": [container],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            **spec,
        },
    }


def deployment(name="web", image="nginx:1", replicas=2, **spec):
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(image, name),
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
            },
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            **spec,
        },
    }


def job(name="seed", image="busybox:1", restart="Never", **spec):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "template": {
                "spec": {
                    "containers": [{"name": "main", "image": image}],
                    "restartPolicy": restart,
                }
            },
            **spec,
        },
    }


def set_image(image):
    def edit(manifest):
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = image

    return edit


def reason_of(manifest, kind):
    for one in manifest["status"].get("conditions", []):
        if one["type"] == kind:
            return one["status"], one["reason"]
    return None
