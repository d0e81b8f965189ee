import pytest

from gitops_wf.core.errors import DefinitionError
from gitops_wf.delivery.yaml_fields import field_at, with_field

TEXT = """\
# who changes this: ann
images:            # of the overlay
  - name: web
    newTag: "1.2"  # promoted
replicas: 3
paused: yes
since: 2026-01-02
note:
limits: {cpu: 1, names: [a, 'b']}
"""


@pytest.mark.parametrize(
    ("pointer", "value", "line"),
    [
        ("/images/0/newTag", "1.3", '    newTag: "1.3"  # promoted'),
        ("/replicas", 5, "replicas: 5"),
        ("/replicas", "5", "replicas: '5'"),
        ("/replicas", None, "replicas: null"),
        ("/paused", False, "paused: false"),
        ("/paused", "no", "paused: 'no'"),
        ("/since", "2026-02-03", "since: '2026-02-03'"),
        ("/note", "x: y # z", "note: 'x: y # z'"),
        ("/limits/cpu", 1.5, "limits: {cpu: 1.5, names: [a, 'b']}"),
        ("/limits/names/0", "a, b", "limits: {cpu: 1, names: [\"a, b\", 'b']}"),
        ("/limits/names/1", "it's", "limits: {cpu: 1, names: [a, 'it''s']}"),
    ],
)
def test_one_field_is_set_and_nothing_else_changes(pointer, value, line):
    new = with_field("a.yaml", TEXT, pointer, value)

    before, after = TEXT.splitlines(), new.splitlines()
    assert [now for then, now in zip(before, after, strict=True) if now != then] == [
        line
    ]
    assert field_at("a.yaml", new, pointer) == value


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/images/0/newTag", "1.2"),
        ("/replicas", 3),
        ("/paused", True),
        ("/since", "2026-01-02"),
        ("/note", None),
    ],
)
def test_a_field_is_read(pointer, value):
    assert field_at("a.yaml", TEXT, pointer) == value


def test_line_ends_and_other_documents_stay():
    text = "a: 1\r\n---\r\n# two\r\nb: 2\r\n"

    assert with_field("a.yaml", text, "/b", 3) == "a: 1\r\n---\r\n# two\r\nb: 3\r\n"


@pytest.mark.parametrize(
    ("text", "pointer", "says"),
    [
        ("a: 1\n", "/b", "a.yaml: has no field /b"),
        ("a: [1]\n", "/a/1", "a.yaml: has no field /a/1"),
        ("a: 1\n", "/a/b", "a.yaml: has no field /a/b"),
        ("a: {b: 1}\n", "/a", "a.yaml:1: /a is no single value"),
        ("a: 1\n---\na: 2\n", "/a", "a.yaml:3: /a is in a document before"),
        ("a: |\n  text\n", "/a", "a.yaml:1: /a is a block of text"),
        ("a: &x 1\nb: *x\n", "/a", "a.yaml:2: has an alias"),
        ("a: 1\na: 2\n", "/a", "a.yaml:2: key a is there twice"),
        ("a: [\n", "/a", "a.yaml:2: "),
        ("[" * 5000, "/0", "a.yaml:1: is nested deeper than 64"),
        ("a" * 2_000_000, "/a", "a.yaml: has more than"),
    ],
)
def test_what_cannot_be_set_alone_is_an_error_with_its_line(text, pointer, says):
    with pytest.raises(DefinitionError) as caught:
        with_field("a.yaml", text, pointer, "x")

    assert str(caught.value).startswith(says)
