"""Render, plan, apply, prune and look: Kubernetes delivery over the ports.

What the steps use is named here; the modules behind it are each one part.
"""

from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.claims import ObjectClaimedError
from gitops_wf.delivery.delivery import Delivery, Order, Rendered
from gitops_wf.delivery.deploying import Deployment
from gitops_wf.delivery.inventories import Writer, check_owner, list_inventories
from gitops_wf.delivery.jobs import JobOrder, JobRuns, JobState, RanBefore
from gitops_wf.delivery.names import CLAIMED
from gitops_wf.delivery.observing import DONE, ObjectHealth
from gitops_wf.delivery.planning import failed
from gitops_wf.delivery.rehearsing import RehearsedClusters
from gitops_wf.delivery.selector import Selector
from gitops_wf.delivery.targeting import TargetProperties, all_at_once, chosen_targets

__all__ = [
    "CLAIMED",
    "DONE",
    "Delivery",
    "Deployment",
    "JobOrder",
    "JobRuns",
    "JobState",
    "ObjectClaimedError",
    "ObjectHealth",
    "Order",
    "Part",
    "RanBefore",
    "RehearsedClusters",
    "Rendered",
    "Selector",
    "TargetProperties",
    "Writer",
    "all_at_once",
    "check_owner",
    "chosen_targets",
    "failed",
    "list_inventories",
]
