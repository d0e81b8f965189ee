"""What the store is given to keep, it keeps without the secrets that are known."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.adapters.sql_store.masking import Masked
from gitops_wf.adapters.sql_store.schema import metadata
from gitops_wf.core.health import Health, HealthStatus
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.message import Delivery, Message
from gitops_wf.core.notifications.notices import Note, Notice, Weight
from gitops_wf.core.pacing import Pace
from gitops_wf.core.pause import Pause
from gitops_wf.core.redaction import Redactor
from gitops_wf.core.run import Ending, StepObject
from gitops_wf.core.secret import Secret
from gitops_wf.core.upkeep.differing import FieldDrift
from gitops_wf.core.upkeep.findings import Drifted, DriftKind
from gitops_wf.core.upkeep.state import Ailing, UpkeepState
from gitops_wf.ports.store import TargetRecord
from tests.shop import NOW, PROD, SHOP, fill

CANARY = "C4n4ry-of-the-store"


@pytest.fixture
def filled(tmp_path):
    """A store with a row of every kind, opened anew by who knows the secret."""
    made = fill(tmp_path)
    store = open_store(made.store, redactor=Redactor([Secret(CANARY)]))
    yield store
    store.close()


def told(store):
    """Write the canary wherever words of others may stand."""
    said = f"it said {CANARY}"
    with store.transaction() as transaction:
        record = transaction.repository(SHOP)
        transaction.save_repository(replace(record, condition=said))
        environment = transaction.environment(PROD)
        transaction.save_environment(replace(environment, conditions={"Bad": said}))
        revision = transaction.revision(PROD, 3)
        transaction.save_revision(replace(revision, message=said, subject=said))
        run = transaction.active_run(PROD)
        ending = Ending(phase=run.phase, reason="x", message=said, since=NOW)
        step = replace(
            run.steps[0],
            message=said,
            outputs={"a": {CANARY: [said]}},
            objects=(StepObject(object="a", change="created", message=said),),
        )
        transaction.save_run(
            replace(
                run,
                steps=(step, *run.steps[1:]),
                message=said,
                ending=ending,
                seq=run.seq + 1,
            )
        )
        decision = transaction.decisions(PROD)[0]
        entry = replace(decision.entry, comment=said)
        counts = {"step": said}
        transaction.save_decision(
            replace(decision, entry=entry, reason=said, counts_for=counts)
        )
        ref = ObjectRef(group="", kind="ConfigMap", namespace="prod", name="web")
        field = FieldDrift(path="/data/a", desired=f'"{CANARY}"', live=f'"{CANARY}"')
        status = HealthStatus(health=Health.FAILED, message=said)
        transaction.save_upkeep(
            PROD,
            "prod",
            UpkeepState(
                number=1,
                drifted=(
                    Drifted(
                        ref=ref, kind=DriftKind.CHANGED, fields=(field,), note=said
                    ),
                ),
                ailing=(Ailing(ref=ref, status=status, since=NOW),),
                held=said,
                problem=said,
            ),
        )
        transaction.save_target(TargetRecord(name="prod", away=NOW, error=said))
        event = transaction.events(PROD)[0]
        transaction.add_event(replace(event, message=said, metadata={"a": said}))
        message = Message(item="a", kind="slack", channel={}, payload={"text": said})
        delivery = Delivery(
            key="k", environment=PROD, run=None, step=None, message=message, created=NOW
        )
        saved = transaction.save_delivery(delivery)
        transaction.save_delivery(replace(saved, detail=said))
        note = Note(
            place="prod#1",
            headline=said,
            sums="FAILED",
            weight=Weight.BAD,
            about=said,
            message=said,
        )
        transaction.save_notice(
            Notice(
                key="k",
                channel="ops",
                topic="shop",
                title="shop",
                kind="failed",
                environment=PROD,
                note=note,
                at=NOW,
                data={"message": said},
            )
        )
        transaction.save_pace("a" * 64, Pace(), NOW)
        transaction.save_pause(
            Pause(environment=PROD, reason=said, by="ann", since=NOW, told=NOW)
        )


def test_no_row_of_any_table_holds_a_known_secret(filled):
    told(filled)

    with filled.engine.connect() as connection:
        rows = {
            # As tuples: a row's own text is cut.
            table: str([tuple(row) for row in found])
            for table in metadata.tables
            if (found := connection.execute(text(f"SELECT * FROM {table}")))
        }
    masked = {table for table, row in rows.items() if "it said ***" in row}
    assert [table for table, row in rows.items() if CANARY in row] == []
    assert masked == set(metadata.tables) - {"meta", "inventory", "pace", "compared"}


def test_a_value_whose_texts_nobody_named_is_our_bug():
    with pytest.raises(TypeError, match="not known which texts of a object"):
        Masked(Redactor()).of(object())
