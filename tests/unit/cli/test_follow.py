import json
from dataclasses import dataclass

import pytest

from gitops_wf.cli.options import Output
from gitops_wf.cli.printing import follow
from gitops_wf.cli.table import Table


@dataclass(frozen=True)
class Item:
    name: str
    phase: str

    def as_json(self):
        return {"name": self.name, "phase": self.phase}


def rows(views):
    return Table(headers=("NAME", "PHASE"), rows=[(v.name, v.phase) for v in views])


def followed(looks, output):
    """Follow until there is nothing more to see, when the user interrupts."""
    left = iter(looks)

    def look():
        for views in left:
            return views
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(look, rows, lambda view: view.name, output)


LOOKS = [
    [Item("staging", "Running")],
    [Item("staging", "Running"), Item("prod", "Pending")],
    [Item("staging", "Succeeded"), Item("prod", "Pending")],
]


def test_what_changes_is_printed_below_in_the_same_columns(capsys):
    followed(LOOKS, Output.TABLE)

    assert capsys.readouterr().out == (
        "NAME      PHASE\nstaging   Running\nprod      Pending\nstaging   Succeeded\n"
    )


def test_as_json_each_change_is_a_line(capsys):
    followed(LOOKS, Output.JSON)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["phase"] for line in lines] == ["Running", "Pending", "Succeeded"]
