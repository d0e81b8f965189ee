"""What Job is run for a revision: its manifest, and a name that no other has."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.identifiers import EnvironmentId, Sha, TargetName
from gitops_wf.core.inventory import Manifest
from gitops_wf.delivery.once import (
    manifest_digest,
    once_hash,
)
from gitops_wf.delivery.rendering import Source

TTL = 24 * 60 * 60
"""Seconds that a finished Job is kept, unless its manifest says otherwise."""
_NAME_LIMIT = 63 - 6
"""A Job's pods are named after it, with a suffix of six."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """A Job to run: for which revision, and which try of which run.

    ``source`` is its manifest as written, ``namespace`` where it runs, empty for
    the target's own. ``run`` is shown to people; it is no part of the name. ``once``
    is the key of what may run only once in the environment, the step's name, and text
    of its own after a slash; empty for each time.
    """

    id: EnvironmentId
    commit: Sha
    run: str
    run_ordinal: int
    step: str
    attempt: int
    target: TargetName
    source: Source
    namespace: str = ""
    once: str = ""

    @property
    def digest(self) -> str:
        """Return a digest of the manifest as it is written."""
        return manifest_digest(self.source.manifest)


def name_of_try(order: JobOrder, attempt: int) -> str:
    """Return the name of the Job of a try; what runs only once has the same in all."""
    if order.once:
        return once_name(order.once, order.id)
    return job_name(
        str(order.source.manifest["metadata"]["name"]),
        environment=order.id,
        commit=order.commit,
        run_ordinal=order.run_ordinal,
        step=order.step,
        attempt=attempt,
    )


def job_name(
    base: str,
    *,
    environment: EnvironmentId,
    commit: Sha,
    run_ordinal: int,
    step: str,
    attempt: int,
) -> str:
    """Return ``<base>-<sha>-<mark>``: the same for each repetition of one attempt.

    The revision's number is no part of it: after the loss of a store numbers may
    come again, and would find another revision's Job.
    """
    text = "\n".join((environment, commit, str(run_ordinal), step, str(attempt)))
    mark = hashlib.sha256(text.encode()).hexdigest()[:6]
    return _named(base, f"-{commit[:8]}-{mark}")


def once_name(key: str, environment: EnvironmentId) -> str:
    """Return ``<step>-once-<mark>``: the same for each revision, run and attempt."""
    return _named(key.partition("/")[0], f"-once-{once_hash(environment, key)}")


def _named(base: str, tail: str) -> str:
    stem = re.sub(r"[^a-z0-9-]+", "-", base.lower())[: _NAME_LIMIT - len(tail)]
    return stem.strip("-") + tail


def short_job(
    name: str,
    *,
    image: str,
    command: Sequence[str] = (),
    args: Sequence[str] = (),
    env: Sequence[Mapping[str, Any]] = (),
    env_from: Sequence[Mapping[str, Any]] = (),
    backoff_limit: int | None = None,
) -> Manifest:
    """Return a Job of one container."""
    container: dict[str, Any] = {"name": "main", "image": image}
    if command:
        container["command"] = list(command)
    if args:
        container["args"] = list(args)
    if env:
        container["env"] = [dict(entry) for entry in env]
    if env_from:
        container["envFrom"] = [dict(entry) for entry in env_from]
    spec: dict[str, Any] = {"template": {"spec": {"containers": [container]}}}
    if backoff_limit is not None:
        spec["backoffLimit"] = backoff_limit
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": spec,
    }


def checked_spec(source: Source, *, is_kept: bool) -> Mapping[str, Any]:
    """Return the Job's spec with a restartPolicy and, unless kept, a time to live."""
    spec: Any = source.manifest.get("spec")
    template = spec.get("template") if isinstance(spec, Mapping) else None
    inner = template.get("spec") if isinstance(template, Mapping) else None
    if not (
        isinstance(spec, Mapping)
        and isinstance(template, Mapping)
        and isinstance(inner, Mapping)
        and inner.get("containers")
    ):
        raise source.error("Job has no spec.template.spec.containers")
    ends = {} if is_kept else {"ttlSecondsAfterFinished": TTL}
    return {
        **ends,
        **spec,
        "template": {**template, "spec": {"restartPolicy": "Never", **inner}},
    }


def inline_job(manifest: Mapping[str, Any], step: str) -> Source:
    """Return a Job that stands in the step itself; without a name it has the step's.

    Errors: DefinitionError where it is no Job.
    """
    place = f"step {step}"
    head = (manifest.get("apiVersion"), manifest.get("kind"))
    metadata = manifest.get("metadata") or {}
    if head != ("batch/v1", "Job") or not isinstance(metadata, Mapping):
        raise DefinitionError(
            place, None, "value must be a Job of apiVersion batch/v1 and kind Job"
        )
    named = {"name": step, **metadata}
    return Source(manifest={**manifest, "metadata": named}, path=place, line=1)
