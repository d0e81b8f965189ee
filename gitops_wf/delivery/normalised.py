"""Values that API servers keep in another form than the one they were sent.

A value that is owned as a whole (an atomic struct or list) is compared so, but the
server fills defaults into it; and it writes quantities in one canonical form. The
tables hold what ordinary manifests of the built-in kinds meet, as kube-apiserver 1.36
answers. Kinds of CustomResourceDefinitions are kept as they were sent: not meant here.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Path = tuple[str, ...]
"""The keys down to a value, without the places in lists."""

_BUILT_IN = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apps",
        "autoscaling",
        "batch",
        "networking.k8s.io",
        "policy",
    }
)

_DEFAULTS: Mapping[Path, Mapping[str, Any]] = {
    ("valueFrom", "fieldRef"): {"apiVersion": "v1"},
    ("items", "fieldRef"): {"apiVersion": "v1"},
    ("valueFrom", "resourceFieldRef"): {"divisor": "0"},
    ("items", "resourceFieldRef"): {"divisor": "0"},
    ("sources", "serviceAccountToken"): {"expirationSeconds": 3600},
    ("spec", "volumeClaimTemplates"): {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "status": {"phase": "Pending"},
    },
    ("volumeClaimTemplates", "spec"): {"volumeMode": "Filesystem"},
    ("ingress", "ports"): {"protocol": "TCP"},
    ("egress", "ports"): {"protocol": "TCP"},
    ("webhooks", "rules"): {"scope": "*"},
}
"""By the last two keys: what the server adds to a struct that does not have it."""

_QUANTITIES = frozenset(
    {
        ("emptyDir", "sizeLimit"),
        ("resourceFieldRef", "divisor"),
        ("target", "averageValue"),
        ("target", "value"),
    }
)
_MAPS_OF_QUANTITIES = frozenset(
    {
        ("limits", "default"),
        ("limits", "defaultRequest"),
        ("limits", "max"),
        ("limits", "min"),
        ("resources", "limits"),
        ("resources", "requests"),
        ("spec", "capacity"),
        ("spec", "hard"),
    }
)

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))"
    r"(?:(?P<binary>[KMGTPE]i)|(?P<decimal>[numkMGTPE])|"
    r"[eE](?P<exponent>[+-]?\d{1,2}))?"
)
_DECIMAL = {
    suffix: Decimal(10) ** power
    for suffix, power in zip(
        "numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True
    )
}
_BINARY = {f"{suffix}i": Decimal(1024) ** n for n, suffix in enumerate("KMGTPE", 1)}


def is_built_in(api_version: str) -> bool:
    """Whether an API server knows these kinds by itself, with their defaults."""
    return api_version.rpartition("/")[0] in _BUILT_IN


def defaults_at(path: Path) -> Mapping[str, Any]:
    """Return what a server fills into a struct of a built-in kind at this place."""
    return _DEFAULTS.get(path[-2:], {})


def is_same_quantity(desired: object, live: object, path: Path) -> bool:
    """Whether a server writes `desired` as `live`, where quantities stand."""
    if path[-2:] not in _QUANTITIES and path[-3:-1] not in _MAPS_OF_QUANTITIES:
        return False
    wanted, kept = _quantity(desired), _quantity(live)
    return wanted is not None and wanted == kept


def _quantity(value: object) -> tuple[Decimal, str] | None:
    """Return value and notation, which the canonical form keeps."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    number = Decimal(match["number"])
    if match["binary"]:
        return number * _BINARY[match["binary"]], "binary"
    if match["exponent"]:
        return number * Decimal(10) ** int(match["exponent"]), "exponent"
    return number * _DECIMAL.get(match["decimal"] or "", Decimal(1)), "decimal"
