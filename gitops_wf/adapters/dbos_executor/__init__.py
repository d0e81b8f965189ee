"""The executor: attempts, looks and deliveries as DBOS workflows of one step each."""

from gitops_wf.adapters.dbos_executor.executor import DbosExecutor
from gitops_wf.adapters.dbos_executor.queues import Limits

__all__ = ["DbosExecutor", "Limits"]
