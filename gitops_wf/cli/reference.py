"""The reference page of the command line, made from the tree of commands.

``python -m gitops_wf.cli.reference > docs/reference/cli.md`` writes it anew.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from gitops_wf.cli.main import app

_HEAD = """\
# Command line

Made from the commands themselves by `python -m gitops_wf.cli.reference`.

A command finds the daemon that it is about by `--config FILE`, else by the \
`.gitops-wf` folder that `run` leaves below its working directory (here, or above \
here in the same work tree), else by the variable `GITOPS_WF_CONFIG`.

`gitops-wf --version` prints the version, and `--help` at any command what it takes.

| exit code | means |
|---|---|
| 0 | done |
| 1 | the thing asked about failed, or the command was refused |
| 2 | wrong usage |
| 3 | a bug; the path of a log is printed |
| 124 | `wait`: the time limit was reached |
| 130 | interrupted |

`plan` and `diff` have codes of their own: 0 nothing would change, 1 something would, \
2 something is wrong (usage too).
"""


def reference() -> str:
    """Return the page as Markdown."""
    tree: Any = typer.main.get_command(app)
    parts = [_HEAD, *_commands(tree, "gitops-wf")]
    return "\n".join(parts)


def _commands(group: Any, prefix: str) -> Iterator[str]:
    for name, command in group.commands.items():
        path = f"{prefix} {name}"
        if hasattr(command, "commands"):
            yield from _commands(command, path)
        else:
            yield _section(command, path)


def _section(command: Any, path: str) -> str:
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    options = [p for p in shown if p.param_type_name == "option"]
    usage = " ".join([path, *(_argument(p) for p in arguments)])
    if options:
        usage += " [OPTIONS]"
    lines = [f"## {path}", "", inspect.cleandoc(command.help or ""), ""]
    lines += ["```", usage, "```", ""]
    rows = [(_argument(p), p) for p in arguments] + [(_option(p), p) for p in options]
    if rows:
        lines += ["| | |", "|---|---|"]
        lines += [f"| {_cell(f'`{name}`')} | {_cell(_help(p))} |" for name, p in rows]
        lines.append("")
    return "\n".join(lines)


def _argument(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _option(parameter: Any) -> str:
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.is_flag:
        return names
    value = parameter.metavar or str(parameter.name).upper()
    return f"{names} {value}"


def _help(parameter: Any) -> str:
    text = " ".join((parameter.help or "").split())
    default = getattr(parameter.default, "value", parameter.default)
    is_plain = isinstance(default, (str, int)) and not isinstance(default, bool)
    if is_plain and default != "":
        text = f"{text} Default: `{default}`."
    if parameter.required and parameter.param_type_name == "option":
        text = f"{text} Required."
    return text.strip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
