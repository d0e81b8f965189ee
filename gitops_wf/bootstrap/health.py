"""The health rules that hold: those in the package, and those of the daemon config."""

import functools

from gitops_wf.bootstrap.shipped import shipped
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
    return shipped("health_rules", read_shipped_rules)
