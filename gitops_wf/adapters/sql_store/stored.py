"""What is read from payloads, and how the query of what is active is written."""

from sqlalchemy import ColumnElement, literal_column

from gitops_wf.adapters.sql_store.payload import Payload
from gitops_wf.core.decision import Decision
from gitops_wf.core.event import Event
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.message import Delivery
from gitops_wf.core.notifications.notices import Notice
from gitops_wf.core.pacing import Pace
from gitops_wf.core.pause import Pause
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.upkeep.state import UpkeepState
from gitops_wf.ports.store import EnvironmentRecord, RepositoryRecord, TargetRecord

REPOSITORY = Payload(RepositoryRecord)
ENVIRONMENT = Payload(EnvironmentRecord)
REVISION = Payload(Revision)
RUN = Payload(Run)
STEP_RUN = Payload(StepRun)
DECISION = Payload(Decision)
DELIVERY = Payload(Delivery)
EVENT = Payload(Event)
INVENTORY = Payload(Inventory)
NOTICE = Payload(Notice)
PACE = Payload(Pace)
PAUSE = Payload(Pause)
TARGET = Payload(TargetRecord)
UPKEEP = Payload(UpkeepState)

# Written out, not bound: SQLite uses a partial index only where it sees the value.
ACTIVE: ColumnElement[int] = literal_column("1")
FAR: ColumnElement[int] = literal_column("2")
