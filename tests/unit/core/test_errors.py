import pytest

from gitops_wf.core.errors import (
    DefinitionError,
    GitOpsError,
    TerminalError,
    TransientError,
    cut,
    cut_inside,
)


def test_a_definition_error_prints_file_line_and_message():
    assert str(DefinitionError("envs/prod/workflow.yaml", 14, "unknown step type")) == (
        "envs/prod/workflow.yaml:14: unknown step type"
    )
    assert str(DefinitionError("a.yaml", None, "is empty")) == "a.yaml: is empty"


def test_the_root_of_the_families_cannot_be_raised():
    with pytest.raises(TypeError, match="raise one of its families"):
        GitOpsError("no")


def test_a_terminal_error_carries_its_reason_and_a_transient_one_no_wait_by_default():
    assert TerminalError("no", reason="Timeout").reason == "Timeout"
    assert TransientError("busy").retry_after is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\x1b[31m\t red", "two lines [31m red"),
        ("x" * 300, "x" * 255 + "…"),
        ("x" * 256, "x" * 256),
    ],
)
def test_untrusted_text_becomes_one_short_printable_line(text, shown):
    assert cut(text) == shown


def test_the_end_of_a_long_text_may_be_what_matters():
    text = 'spec.template: Invalid value: {"a":"' + "b" * 400 + '"}: field is immutable'

    shown = cut_inside(text)

    assert len(shown) == 256
    assert shown.startswith("spec.template: Invalid value: ")
    assert shown.endswith('b"}: field is immutable')
    assert "…" in shown
    assert cut_inside("short\ntext") == "short text"
