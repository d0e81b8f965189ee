"""The rules of cloud resources that hold: those in the package, and the config's."""

import functools

from gitops_wf.bootstrap.shipped import shipped
from gitops_wf.core.cloud import CloudRule, CloudRules
from gitops_wf.core.config import DaemonConfig
from gitops_wf.definitions.cloud_file import read_shipped_cloud_rules


def cloud_rules(config: DaemonConfig | None = None) -> CloudRules:
    """Return the shipped rules, and before them those of a config."""
    users = config.cloud_rules if config is not None else ()
    return CloudRules(shipped=shipped_cloud_rules(), users=users)


@functools.cache
def shipped_cloud_rules() -> tuple[CloudRule, ...]:
    """Return the rules in the package, a file for each project.

    Errors: DefinitionErrors in an ExceptionGroup, where the package is damaged.
    """
    return shipped("cloud_rules", read_shipped_cloud_rules)
