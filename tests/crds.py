"""The CustomResourceDefinitions that the tests have written."""

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "data" / "crds"


def definitions(name: str) -> list[dict[str, Any]]:
    """Those of one file."""
    return list(yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()))
