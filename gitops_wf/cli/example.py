"""The example repository that `init` writes and `demo` plays."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import gitops_wf

CONFIG = "gitops-wf.yaml"


def example_files() -> Mapping[str, str]:
    """Return the example's files by their paths, the daemon config among them."""
    return dict(sorted(_below(_source(), "")))


def _source() -> Traversable:
    """Return where the files are: the wheel has a copy of the checkout's config."""
    packaged = files(gitops_wf).joinpath("cli", "example_repository")
    if packaged.is_dir():
        return packaged
    return Path(gitops_wf.__file__).parents[1] / "config" / "shop"


def _below(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found = []
    for item in folder.iterdir():
        path = f"{prefix}{item.name}"
        if item.is_dir():
            found += _below(item, f"{path}/")
        elif path.endswith(".yaml"):
            found.append((path, item.read_text(encoding="utf-8")))
    return found
