"""What a target takes of an environment: its allow-lists of kinds and namespaces.

And, whatever those say, nothing that is the daemon's own: who could write an inventory
could have another environment's objects deleted, or its deliveries refused.
"""

from fnmatch import fnmatchcase

from gitops_wf.core.inventory import ObjectRef
from gitops_wf.delivery.names import OWN_NAMES
from gitops_wf.ports.cluster import AllowList


def refusal(ref: ObjectRef, allowed: AllowList) -> str:
    """Return why a target has nothing to do with an object, or nothing."""
    if (ref.group, ref.kind) == ("", "ConfigMap") and ref.name.startswith(OWN_NAMES):
        return (
            f"{ref}: a ConfigMap whose name begins with `{OWN_NAMES}` is the daemon's"
            " own (an inventory, or a mark of what ran once), and no step's"
        )
    if not allowed.allows_kind(ref):
        kind = f"{ref.kind}.{ref.group}" if ref.group else ref.kind
        return f"{ref}: kind {kind} is not allowed on this target; allowed: " + (
            ", ".join(allowed.kinds or ()) or "none"
        )
    if allowed.namespaces is None:
        return ""
    place = ref.namespace or (ref.name if ref.kind == "Namespace" else "")
    if not place:
        # Cluster-wide objects reach every namespace: the kinds must name them.
        if allowed.kinds is None:
            return (
                f"{ref}: cluster-wide objects are not allowed on this target, which "
                "is limited to namespaces; its allow-list of kinds must name them"
            )
        return ""
    if not any(fnmatchcase(place, pattern) for pattern in allowed.namespaces):
        return f"{ref}: namespace {place} is not allowed on this target; allowed: " + (
            ", ".join(allowed.namespaces) or "none"
        )
    return ""
