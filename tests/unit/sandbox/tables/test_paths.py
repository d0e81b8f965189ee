from __future__ import annotations

import pytest

from gitops_wf.sandbox.tables.paths import find

OBJECT = {
    "spec": {"size": 3, "tags": ["a", "b"], "a.b": 1},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Synced", "status": "False"},
        ]
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.size", [3]),
        ("{.spec.size}", [3]),
        ("$.spec.size", [3]),
        (".spec.none.deep", []),
        (".spec.tags[0]", ["a"]),
        (".spec.tags[-1]", ["b"]),
        (".spec.tags[9]", []),
        (".spec.tags[*]", ["a", "b"]),
        (".spec['a.b']", [1]),
        (r".spec.a\.b", [1]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Synced')].status", ["False"]),
        ("not a path", []),
    ],
)
def test_a_printer_column_finds_what_its_path_names(path, found):
    assert find(OBJECT, path) == found
