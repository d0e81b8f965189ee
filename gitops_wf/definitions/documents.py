"""A control file's one document."""

from typing import Any

from gitops_wf.core.errors import DefinitionError
from gitops_wf.definitions.problems import Problem
from gitops_wf.definitions.yaml_text import YamlMap, kind_of, read_documents


def single_map(data: bytes, path: str) -> tuple[YamlMap | None, list[Problem]]:
    """The map of a file, None where the file holds nothing, or what is wrong."""
    try:
        documents = read_documents(data, path)
    except DefinitionError as exc:
        return None, [
            Problem(rule="yaml", path=exc.path, line=exc.line, message=exc.message)
        ]
    if not documents:
        return None, []
    if len(documents) > 1:
        message = "holds more than one document; put each into a file of its own"
        return None, [_no_map(path, documents[1].line, message)]
    value: Any = documents[0].value
    if not isinstance(value, YamlMap):
        message = f"holds {kind_of(value)}; it must be a map of keys and values"
        return None, [_no_map(path, documents[0].line, message)]
    return value, []


def empty_file(path: str, mend: str) -> Problem:
    """The problem of a file that holds nothing but must."""
    return _no_map(path, None, f"is empty; {mend}")


def _no_map(path: str, line: int | None, message: str) -> Problem:
    return Problem(rule="one-document", path=path, line=line, message=message)
