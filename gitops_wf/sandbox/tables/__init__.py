"""Tables: what `kubectl get` prints, made by the server."""

from __future__ import annotations

from gitops_wf.sandbox.tables.render import IncludeObject, table

__all__ = ["IncludeObject", "table"]
