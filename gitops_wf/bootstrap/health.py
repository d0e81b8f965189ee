"""The health rules that hold: those in the package, and those of the daemon config."""

import functools
from importlib.resources import files

from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.health import HealthRule, HealthRules
from gitops_wf.definitions.health_file import read_shipped_rules


def health_rules(config: DaemonConfig | None = None) -> HealthRules:
    """Return the shipped rules, and before them those of a config."""
    users = config.health_rules if config is not None else ()
    return HealthRules(shipped=shipped_rules(), users=users)


@functools.cache
def shipped_rules() -> tuple[HealthRule, ...]:
    """Return the rules in the package, a file for each project.

    Errors: DefinitionErrors in an ExceptionGroup, where the package is damaged.
    """
    folder = files("gitops_wf.definitions").joinpath("health_rules")
    rules: list[HealthRule] = []
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".yaml"):
            continue
        read = read_shipped_rules(file.read_bytes(), file.name)
        if isinstance(read, tuple):
            raise ExceptionGroup("a shipped health rule is not valid", list(read))
        rules.extend(read)
    return tuple(rules)
