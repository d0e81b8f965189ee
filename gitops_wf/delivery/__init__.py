"""Render, plan, apply, prune and look: Kubernetes delivery over the ports.

What the steps use is named here; the modules behind it are each one part.
"""

from gitops_wf.delivery.allowing import refusal
from gitops_wf.delivery.awaiting import (
    AwaitedProperties,
    look_again,
    reads_awaited,
    until_healthy,
)
from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.claims import ObjectClaimedError
from gitops_wf.delivery.copying import CopyProperties, ResourceName
from gitops_wf.delivery.deleting import Deletions, Meant
from gitops_wf.delivery.deletion_steps import DeletionRunner
from gitops_wf.delivery.delivery import Delivery
from gitops_wf.delivery.deploying import Deployment, guarded
from gitops_wf.delivery.given import Given, GivenRunner, delivery_for
from gitops_wf.delivery.hub import Work
from gitops_wf.delivery.inventories import Writer, check_owner, list_inventories
from gitops_wf.delivery.job_manifests import JobOrder
from gitops_wf.delivery.job_states import JobState
from gitops_wf.delivery.jobs import JobRuns, RanBefore
from gitops_wf.delivery.names import owner_label
from gitops_wf.delivery.observing import ObjectHealth
from gitops_wf.delivery.orders import Order, Rendered
from gitops_wf.delivery.owned import OwnedObjects, owned_for
from gitops_wf.delivery.planning import failed
from gitops_wf.delivery.reading import (
    ObjectProperties,
    ObjectReader,
    Read,
    one_target,
    read_targets,
    reader_for,
)
from gitops_wf.delivery.rehearsing import RehearsedClusters
from gitops_wf.delivery.rendering import given_object, only_one
from gitops_wf.delivery.secret_copies import SecretCopies, Wish
from gitops_wf.delivery.selector import Selector, SelectorText
from gitops_wf.delivery.sharing import joined, shared, some
from gitops_wf.delivery.showing import told
from gitops_wf.delivery.targeting import (
    SomeTargets,
    TargetProperties,
    all_at_once,
    chosen_targets,
    target_of,
)
from gitops_wf.delivery.yielding import awaiting, patience_left, waiting_since

__all__ = [
    "AwaitedProperties",
    "CopyProperties",
    "DeletionRunner",
    "Deletions",
    "Delivery",
    "Deployment",
    "Given",
    "GivenRunner",
    "JobOrder",
    "JobRuns",
    "JobState",
    "Meant",
    "ObjectClaimedError",
    "ObjectHealth",
    "ObjectProperties",
    "ObjectReader",
    "Order",
    "OwnedObjects",
    "Part",
    "RanBefore",
    "Read",
    "RehearsedClusters",
    "Rendered",
    "ResourceName",
    "SecretCopies",
    "Selector",
    "SelectorText",
    "SomeTargets",
    "TargetProperties",
    "Wish",
    "Work",
    "Writer",
    "all_at_once",
    "awaiting",
    "check_owner",
    "chosen_targets",
    "delivery_for",
    "failed",
    "given_object",
    "guarded",
    "joined",
    "list_inventories",
    "look_again",
    "one_target",
    "only_one",
    "owned_for",
    "owner_label",
    "patience_left",
    "read_targets",
    "reader_for",
    "reads_awaited",
    "refusal",
    "shared",
    "some",
    "target_of",
    "told",
    "until_healthy",
    "waiting_since",
]
