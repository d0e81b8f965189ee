"""Reading approvals files."""

from collections.abc import Mapping

from gitops_wf.core.decision import Entry
from gitops_wf.core.errors import DefinitionError
from gitops_wf.definitions.approvals_file import entries_of
from gitops_wf.definitions.documents import single_map
from gitops_wf.definitions.problems import MOST_PROBLEMS, Outcome, errors


def read_decisions(files: Mapping[str, bytes]) -> Outcome[tuple[Entry, ...]]:
    """The entries of approvals files by path, in the order of the paths.

    `approvals.yaml` holds a list under `approvals:`; a file of `approvals/` the same,
    or one entry by itself. A file that holds nothing has no entries.
    """
    entries: list[Entry] = []
    problems: list[DefinitionError] = []
    for path, data in sorted(files.items()):
        document, found = single_map(data, path)
        if found:
            problems += errors(found)
        elif document is not None:
            outcome = entries_of(document, path)
            for one in outcome:
                if isinstance(one, Entry):
                    entries.append(one)
                else:
                    problems.append(one)
    return tuple(problems[: MOST_PROBLEMS + 1]) if problems else tuple(entries)
