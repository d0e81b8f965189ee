"""The Status errors of a Kubernetes API server, in the words of version 1.36."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitops_wf.sandbox.resources import Resource

GONE_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter, or use the continue "
    "token in this response to retrieve the remainder of the results. Continuing with "
    "the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may "
    "show up in the list."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCause:
    """One field of an object and what is wrong with it."""

    field: str
    reason: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """The cause as it stands in `details.causes`."""
        cause = {"reason": self.reason, "message": self.message}
        if self.field:
            cause["field"] = self.field
        return cause


def required(field: str, detail: str = "") -> StatusCause:
    """A field that must be there."""
    return StatusCause(
        field=field,
        reason="FieldValueRequired",
        message="Required value" + (f": {detail}" if detail else ""),
    )


def invalid_value(field: str, value: str, detail: str) -> StatusCause:
    """A field whose value, already rendered as text, is not allowed."""
    return StatusCause(
        field=field,
        reason="FieldValueInvalid",
        message=f"Invalid value: {value}: {detail}",
    )


def forbidden_field(field: str, detail: str) -> StatusCause:
    """A field that may not be set or changed now."""
    return StatusCause(
        field=field, reason="FieldValueForbidden", message=f"Forbidden: {detail}"
    )


def unsupported(field: str, value: str, supported: list[str]) -> StatusCause:
    """A field with a value outside its enumeration."""
    allowed = ", ".join(f'"{one}"' for one in supported)
    return StatusCause(
        field=field,
        reason="FieldValueNotSupported",
        message=f"Unsupported value: {value}: supported values: {allowed}",
    )


class ApiError(Exception):
    """A refusal, with the Status body that tells the client so."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        reason: str = "",
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
        continue_token: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.details = details
        self.retry_after = retry_after
        self.continue_token = continue_token

    def body(self) -> dict[str, Any]:
        """The Status object."""
        metadata = {"continue": self.continue_token} if self.continue_token else {}
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


def object_details(resource: Resource, name: str) -> dict[str, Any]:
    """How a Status names an object: by resource, not by kind."""
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    return details


def resource_not_found() -> ApiError:
    """No such version or resource in a known group."""
    return ApiError(
        404,
        "the server could not find the requested resource",
        reason="NotFound",
        details={},
    )


def not_found(resource: Resource, name: str) -> ApiError:
    """No such object."""
    return ApiError(
        404,
        f'{resource.qualified} "{name}" not found',
        reason="NotFound",
        details=object_details(resource, name),
    )


def already_exists(
    resource: Resource, name: str, *, deleting: bool, generated: bool
) -> ApiError:
    """The name is taken."""
    message = f'{resource.qualified} "{name}" already exists'
    details = object_details(resource, name)
    if deleting:
        message = f"object is being deleted: {message}"
    if generated:
        message += ", the server was not able to generate a unique name for the object"
        details["retryAfterSeconds"] = 1
    return ApiError(
        409,
        message,
        reason="AlreadyExists",
        details=details,
        retry_after=1 if generated else None,
    )


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    """The object is not what the request supposed it to be."""
    why = why or (
        "the object has been modified; please apply your changes to the latest "
        "version and try again"
    )
    return ApiError(
        409,
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}',
        reason="Conflict",
        details=object_details(resource, name),
    )


def precondition_failed(resource: Resource, name: str, why: str) -> ApiError:
    """A delete precondition that does not hold; it names the kind."""
    details = {"name": name, "kind": resource.kind}
    if resource.group:
        details = {"name": name, "group": resource.group, "kind": resource.kind}
    return ApiError(
        409,
        f'Operation cannot be fulfilled on {resource.qualified_kind} "{name}": {why}',
        reason="Conflict",
        details=details,
    )


def bad_request(message: str) -> ApiError:
    """A request that cannot be understood."""
    return ApiError(400, message, reason="BadRequest")


def internal(message: str) -> ApiError:
    """The plain 500 that the server gives for some bad input."""
    return ApiError(500, message)


def internal_error(message: str) -> ApiError:
    """The 500 that tells what failed inside."""
    return ApiError(
        500,
        f"Internal error occurred: {message}",
        reason="InternalError",
        details={"causes": [{"message": message}]},
    )


def method_not_allowed() -> ApiError:
    """A verb that the path does not have."""
    return ApiError(
        405,
        "the server does not allow this method on the requested resource",
        reason="MethodNotAllowed",
        details={},
    )


def forbidden(
    resource: Resource, name: str, why: str, causes: list[StatusCause] | None = None
) -> ApiError:
    """An admission refusal."""
    details = object_details(resource, name)
    if causes:
        details["causes"] = [cause.as_dict() for cause in causes]
    return ApiError(
        403,
        f'{resource.qualified} "{name}" is forbidden: {why}',
        reason="Forbidden",
        details=details,
    )


def namespace_terminating(resource: Resource, name: str, namespace: str) -> ApiError:
    """Nothing new may be created in a namespace that is going."""
    return forbidden(
        resource,
        name,
        f"unable to create new content in namespace {namespace} because it is being "
        "terminated",
        [
            StatusCause(
                field="metadata.namespace",
                reason="NamespaceTerminating",
                message=f"namespace {namespace} is being terminated",
            )
        ],
    )


def invalid(
    kind: str, name: str, causes: list[StatusCause], *, group: str = ""
) -> ApiError:
    """A 422 with its causes; `kind` without its group.

    Equal causes are said once in the message and each time in the details.
    """
    texts = list(
        dict.fromkeys(
            f"{cause.field}: {cause.message}" if cause.field else cause.message
            for cause in causes
        )
    )
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [cause.as_dict() for cause in causes]
    return ApiError(
        422,
        f'{qualified} "{name}" is invalid: {text}',
        reason="Invalid",
        details=details,
    )


def invalid_object(
    resource: Resource, name: str, causes: list[StatusCause]
) -> ApiError:
    """A 422 of an object of a resource."""
    return invalid(resource.kind, name, causes, group=resource.group)


def invalid_options(kind: str, causes: list[StatusCause]) -> ApiError:
    """A 422 of query options: ListOptions, CreateOptions and so on."""
    return invalid(kind, "", causes, group="meta.k8s.io")


def too_large_revision(wanted: int, current: int) -> ApiError:
    """A resourceVersion that is not there yet, after the wait for it."""
    return ApiError(
        504,
        f"Timeout: Too large resource version: {wanted}, current: {current}",
        reason="Timeout",
        details={
            "causes": [
                {
                    "reason": "ResourceVersionTooLarge",
                    "message": "Too large resource version",
                }
            ],
            "retryAfterSeconds": 1,
        },
        retry_after=1,
    )


def expired(message: str, continue_token: str = "") -> ApiError:
    """A resourceVersion or continue token of a past that is gone."""
    return ApiError(410, message, reason="Expired", continue_token=continue_token)


def deleted(resource: Resource, name: str, uid: str) -> dict[str, Any]:
    """The answer to a delete that is done."""
    details = object_details(resource, name)
    details["uid"] = uid
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }
