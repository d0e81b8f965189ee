"""What a request is about to do, read from its line alone.

Authorization comes before anything is looked up, so a path of no known resource has
attributes too. The rules are those of the API server's RequestInfo:
https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb
"""

from __future__ import annotations

from gitops_wf.sandbox.authorization import Attributes
from gitops_wf.sandbox.http.options import Query, first, flag

_VERBS = {
    "DELETE": "delete",
    "GET": "get",
    "HEAD": "get",
    "PATCH": "patch",
    "POST": "create",
    "PUT": "update",
}
_OF_NAMESPACE = frozenset({"status", "finalize"})


def attributes_of(method: str, path: str, query: Query) -> Attributes:
    """The attributes of a request."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["api", _version, _first, *_]:
            group, rest = "", parts[2:]
        case ["apis", group, _version, _first, *_]:
            rest = parts[3:]
        case _:
            return Attributes(verb=method.lower(), path=path)
    verb = _VERBS.get(method, "")
    if rest[0] == "watch" and len(rest) > 1:
        verb, rest = "watch", rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACE:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    if not name and verb == "get":
        verb = "watch" if flag(query, "watch") else "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    if not name and verb in ("list", "watch", "deletecollection"):
        name = _selected_name(query)
    return Attributes(
        verb=verb,
        group=group,
        resource=rest[0],
        subresource=rest[2] if len(rest) > 2 else "",
        namespace=namespace,
        name=name,
    )


def _selected_name(query: Query) -> str:
    """The one name that a field selector asks for, or ''."""
    for term in first(query, "fieldSelector").split(","):
        key, equals, value = term.replace("==", "=").partition("=")
        if equals and key.strip() == "metadata.name":
            return value.strip()
    return ""
