"""Which names an expression may read, and what its paths lead to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gitops_wf.core.expressions.errors import ExpressionError, did_you_mean
from gitops_wf.core.expressions.nodes import Has, Macro, Node, Operation, Path, walk

ROOTS = frozenset(
    {"status", "outputs", "inputs", "revision", "environment", "run", "context"}
)
STATUS_FIELDS = frozenset(
    {
        "name", "type", "phase", "reason", "message", "attempts",
        "succeeded", "failed", "skipped", "timeout",
    }
)  # fmt: skip
_DASHED = re.compile(r"[A-Za-z_]\w*(?:\s*-\s*\w+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names that an expression may use; None means that any is accepted.

    `fields` are the known fields of other roots, such as `("run", {"outcome"})`.
    `is_of_run` says that `status` is that of steps; a Kubernetes object has one, too.
    """

    roots: frozenset[str] = ROOTS
    steps: frozenset[str] | None = None
    outputs: frozenset[str] | None = None
    inputs: frozenset[str] | None = None
    fields: tuple[tuple[str, frozenset[str]], ...] = ()
    is_of_run: bool = True

    def names_under(self, root: str) -> frozenset[str] | None:
        """The names that may follow a root."""
        if root == "status":
            return self.steps
        if root == "outputs":
            return self.outputs
        if root == "inputs":
            return self.inputs
        return dict(self.fields).get(root)


OPEN_SCOPE = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What an expression reads, by the names as declared (`go-live`, not `go_live`)."""

    roots: frozenset[str] = field(default_factory=frozenset)
    steps: frozenset[str] = field(default_factory=frozenset)
    outputs: frozenset[str] = field(default_factory=frozenset)
    inputs: frozenset[str] = field(default_factory=frozenset)


def declared_name(written: str, known: Iterable[str]) -> str | None:
    """The known name that `written` means: itself, or with `-` for `_`."""
    names = set(known)
    if written in names:
        return written
    return min(
        (name for name in names if name.replace("-", "_") == written), default=None
    )


def check_names(root: Node, text: str, scope: Scope) -> Reads:
    """Check every path against the scope and return what they read."""
    found: dict[str, set[str]] = {"status": set(), "outputs": set(), "inputs": set()}
    roots: set[str] = set()
    for node in walk(root):
        if isinstance(node, Macro):
            _check_variable(node, scope)
        elif isinstance(node, Operation) and node.operator == "-":
            _check_dash(node, scope, text)
        elif isinstance(node, Has) and isinstance(node.operand, Path):
            node = replace(node.operand, keys=(*node.operand.keys, node.name))  # noqa: PLW2901 - `has(a.b)` reads the path a.b
        if isinstance(node, Path):
            name = _check_path(node, scope)
            roots.add(node.root)
            if name is not None and node.root in found:
                found[node.root].add(name)
    return Reads(
        roots=frozenset(roots),
        steps=frozenset(found["status"]),
        outputs=frozenset(found["outputs"]),
        inputs=frozenset(found["inputs"]),
    )


def _check_variable(macro: Macro, scope: Scope) -> None:
    if macro.variable in scope.roots:
        raise ExpressionError(
            f"`{macro.variable}` is already a name here; give the item of"
            f" `{macro.macro}` another",
            macro.offset,
        )


def _check_path(path: Path, scope: Scope) -> str | None:
    if path.root not in scope.roots:
        if path.root in {"secret", "secrets"}:
            raise ExpressionError(
                "no expression reads a secret, as its result is stored and shown; give"
                " it to a step by `secretRef`, where the step takes one",
                path.offset,
            )
        known = scope.roots
        raise ExpressionError(
            f"unknown name `{path.root}`{did_you_mean(path.root, known)}", path.offset
        )
    names = scope.names_under(path.root)
    if not path.keys:
        return None
    written = path.keys[0]
    name = written if names is None else declared_name(written, names)
    if name is None:
        assert names is not None
        kind = {"status": "step", "outputs": "output", "inputs": "input"}.get(path.root)
        what = f"{kind} `{written}`" if kind else f"field `{path.root}.{written}`"
        raise ExpressionError(
            f"unknown {what}{did_you_mean(written, names)}", path.offset
        )
    if (
        scope.is_of_run
        and path.root == "status"
        and len(path.keys) > 1
        and path.keys[1] not in STATUS_FIELDS
    ):
        raise ExpressionError(
            f"a step's status has no `{path.keys[1]}`"
            f"{did_you_mean(path.keys[1], STATUS_FIELDS)}",
            path.offset,
        )
    return name


def _check_dash(operation: Operation, scope: Scope, text: str) -> None:
    """Refuse `status.go-live`: CEL reads a subtraction of `live`."""
    first = operation.operands[0]
    while isinstance(first, Operation) and first.operator == "-":
        first = first.operands[0]
    if not isinstance(first, Path) or len(first.keys) != 1:
        return
    root = first.root
    known = scope.names_under(root)
    if root not in {"status", "outputs", "inputs"}:
        return
    dotted = re.compile(rf"{root}\s*\.\s*({_DASHED.pattern})").match(text, first.offset)
    if dotted is None:
        return
    written = re.sub(r"\s", "", dotted.group(1))
    if known is None:
        second = operation.operands[1]
        is_name = isinstance(second, Path) and second.root not in scope.roots
        names = [written] if is_name else []
    else:
        names = [name for name in known if name == written]
        parts = written.split("-")
        is_known = declared_name(parts[0], known) is not None
        if not names and not is_known:
            names = [written]
    if names:
        name = names[0]
        raise ExpressionError(
            f"`{root}.{name}` is a subtraction; write"
            f' `{root}.{name.replace("-", "_")}` or `{root}["{name}"]`',
            first.offset,
        )
