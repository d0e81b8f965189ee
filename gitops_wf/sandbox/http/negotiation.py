"""Accept headers: in what form an answer goes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitops_wf.sandbox.statuses import ApiError

Form = Literal["object", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"]
_TYPES = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """The encoding of an answer and, for objects, the form they are turned into."""

    yaml: bool = False
    form: Form = "object"


PLAIN = Representation()


def negotiate(accept: str) -> Representation:
    """The first acceptable representation; ApiError 406 where there is none.

    Answers are never protobuf: clients that ask for it also take JSON.
    """
    if not accept.strip():
        return PLAIN
    transformed = False
    for clause in accept.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        values = dict(one.split("=", 1) for one in parameters if "=" in one)
        form = values.get("as", "")
        if media not in _MEDIA:
            continue
        if form:
            transformed = True
            if form not in _FORMS or values.get("g", "meta.k8s.io") != "meta.k8s.io":
                continue
            if values.get("v", "v1") not in ("v1", "v1beta1"):
                continue
            return Representation(yaml=media == "application/yaml", form=_FORMS[form])
        return Representation(yaml=media == "application/yaml")
    if transformed:
        raise ApiError(
            406,
            f"only the following media types are accepted: {_TYPES}",
            reason="NotAcceptable",
        )
    raise not_acceptable()


def not_acceptable() -> ApiError:
    """406: no type that the client accepts can be served."""
    return ApiError(
        406,
        f"406: Not Acceptable\n\nAvailable representations: {_TYPES}",
        reason="NotAcceptable",
        details={},
    )


_MEDIA = frozenset({"*/*", "application/*", "application/json", "application/yaml"})
_FORMS: dict[str, Form] = {
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadataList",
}
