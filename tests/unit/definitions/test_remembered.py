"""The same text is parsed once, and nobody gets what another one changed."""

import pytest

from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.substitution import Variables
from gitops_wf.definitions.remembered import RememberedManifests
from gitops_wf.definitions.yaml_text import read_manifests

TEXT = b"kind: A\nreplicas: ${n}\n---\nkind: B\n"


class Reader:
    """Counts what it is asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, path, data, variables=None, /):
        self.asked.append(path)
        return read_manifests(path, data, variables)


def test_a_text_is_read_once_wherever_it_stands():
    reader = Reader()
    read = RememberedManifests(reader)

    first, again = read("a.yaml", TEXT), read("b.yaml", TEXT)

    assert first == again
    assert [document.line for document in again] == [1, 4]
    assert reader.asked == ["a.yaml"]


def test_what_a_reader_changes_is_its_own():
    read = RememberedManifests(Reader())
    read("a.yaml", TEXT)
    read("a.yaml", TEXT)[0].manifest["kind"] = "C"

    assert read("a.yaml", TEXT)[0].manifest["kind"] == "A"


def test_other_values_of_variables_are_another_text():
    reader = Reader()
    read = RememberedManifests(reader)

    values = [
        read("a.yaml", TEXT, Variables({"n": n}))[0].manifest["replicas"]
        for n in ("1", "2", "1")
    ]

    assert values == [1, 2, 1]
    assert read("a.yaml", TEXT)[0].manifest["replicas"] == "${n}"
    assert len(reader.asked) == 3


def test_an_error_is_told_for_each_file():
    read = RememberedManifests(Reader())
    for path in ("a.yaml", "b.yaml"):
        with pytest.raises(DefinitionError, match=f"{path}:1"):
            read(path, b"- no map")


def test_the_least_lately_read_goes_first():
    reader = Reader()
    read = RememberedManifests(reader, size=50)
    for path in ("a", "b", "a", "c", "a", "b"):
        read(path, f"kind: {path}".encode())

    # 20 bytes each, so two are kept: b went for c, and c for b.
    assert reader.asked == ["a", "b", "c", "b"]


def test_what_is_too_large_is_not_kept():
    reader = Reader()
    read = RememberedManifests(reader, size=10)
    read("a", TEXT)
    read("a", TEXT)

    assert reader.asked == ["a", "a"]
