"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gitops_wf.sandbox.controllers.reading import controlled_by
from gitops_wf.sandbox.controllers.template_hash import revision_hash, template_hash
from gitops_wf.sandbox.controllers.work import Write, create, delete, update
from gitops_wf.sandbox.objects import Manifest, copy, labels_of, name_of, namespace_of

RESOURCE = "controllerrevisions.apps"
HASH_LABEL = "controller-revision-hash"


def wanted_revision(owner: Manifest) -> Manifest:
    """The ControllerRevision of the owner's template, without a number."""
    template = {"$patch": "replace", **_without_empty(owner["spec"]["template"])}
    data = {"spec": {"template": template}}
    labels = dict(labels_of(owner["spec"]["template"]))
    if owner["kind"] == "StatefulSet":
        # Go escapes these letters in JSON, and they are a part of what is hashed.
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        for letter in "<>&":
            text = text.replace(letter, f"\\u{ord(letter):04x}")
        digest = revision_hash(text, 0)
        labels["controller.kubernetes.io/hash"] = digest
    else:
        digest = template_hash(owner["spec"]["template"])
        labels[HASH_LABEL] = digest
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{name_of(owner)}-{digest}",
            "namespace": namespace_of(owner),
            "labels": labels,
            "ownerReferences": [controlled_by(owner, "apps/v1", owner["kind"])],
        },
        "data": data,
    }


def _without_empty(template: Manifest) -> Manifest:
    """The template as Go writes it: metadata that has nothing is left out of it."""
    meta = {key: one for key, one in (template.get("metadata") or {}).items() if one}
    return {**copy(template), "metadata": meta}


def note_revision(wanted: Manifest, known: Sequence[Manifest]) -> Write | None:
    """The write that makes this the newest revision; None where it is."""
    newest = max((one.get("revision", 0) for one in known), default=0)
    there = next((one for one in known if name_of(one) == name_of(wanted)), None)
    if there is None:
        return create(RESOURCE, wanted | {"revision": newest + 1})
    if there.get("revision", 0) < newest:
        return update(RESOURCE, there | {"revision": newest + 1})
    return None


def forget_revisions(
    owner: Manifest, known: Sequence[Manifest], used: set[str]
) -> list[Write]:
    """Deletes of the oldest unused revisions beyond revisionHistoryLimit."""
    limit = owner["spec"].get("revisionHistoryLimit", 10)
    unused = [one for one in known if name_of(one) not in used]
    unused.sort(key=lambda one: int(one.get("revision", 0)))
    surplus = unused[: max(0, len(unused) - limit)]
    return [delete(RESOURCE, one) for one in surplus]


def template_of(revision: Manifest) -> dict[str, Any]:
    """The pod template that a revision holds."""
    template: dict[str, Any] = copy(revision["data"]["spec"]["template"])
    template.pop("$patch", None)
    return template
