"""The example repository that `init` writes and `demo` plays."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

CONFIG = "gitops-wf.yaml"


def example_files() -> Mapping[str, str]:
    """Return the example's files by their paths, the daemon config among them."""
    return dict(sorted(_below(files(__name__), "")))


def _below(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found = []
    for item in folder.iterdir():
        path = f"{prefix}{item.name}"
        if item.is_dir():
            found += _below(item, f"{path}/")
        elif path.endswith(".yaml"):
            found.append((path, item.read_text(encoding="utf-8")))
    return found
