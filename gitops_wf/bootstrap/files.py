"""Reading the files of environments."""

from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.bootstrap.cloud import cloud_rules
from gitops_wf.core.config import DaemonConfig
from gitops_wf.definitions.daemon import known_of
from gitops_wf.definitions.facts import Known
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.ports.runner import StepCatalogue


def definition_reader(config: DaemonConfig | None) -> DefinitionReader:
    """Return the reader of environments' files, with what the config allows.

    Without a config, names of targets, channels and secrets are not checked.
    """
    cloud = cloud_rules(config)
    known = known_of(config, cloud) if config is not None else Known(cloud=cloud)
    return DefinitionReader(EntryPointCatalogue(), known)


def step_catalogue() -> StepCatalogue:
    """Return the step types that are installed."""
    return EntryPointCatalogue()
