"""Running the command line inside the test's process, as `gitops-wf` would."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gitops_wf.cli.main import run


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs commands; what they print is captured."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Result:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Result(code, out, err)


@pytest.fixture
def gitops_wf(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)
