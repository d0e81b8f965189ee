"""What is told of events, by a daemon and by commands beside it."""

from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.links import commit_template
from gitops_wf.ports.executor import Executor
from gitops_wf.services.announce import Announcer


def announcer_for(config: DaemonConfig, *, executor: Executor | None) -> Announcer:
    """Return what tells of events; without an executor, the daemon sends it."""
    return Announcer(
        executor=executor,
        channels=config.channels,
        subscriptions=config.notify,
        window=config.window,
        commits={
            repository.name: commit_template(repository.url, repository.commit_url)
            for repository in config.repositories
        },
    )
