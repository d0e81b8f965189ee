from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.identifiers import RepositoryName, StepName, TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.message import Delivery, DeliveryPhase, Message
from gitops_wf.core.pause import Pause
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import StepRun
from gitops_wf.core.upkeep.findings import Drifted, DriftKind
from gitops_wf.core.upkeep.state import UpkeepState
from gitops_wf.ports.store import TargetRecord
from gitops_wf.web.measures import MEASURES
from tests.metrics_page import PAGE, page
from tests.shop import NOW, PROD, SHOP, config, fill, revision, sha
from tests.sites import break_store, served_site


def test_the_page_lists_the_metrics_as_they_are():
    assert PAGE.read_text() == page(), "write it anew: python -m tests.metrics_page"


def test_every_environment_is_told_with_its_newest_revision(site):
    lines = site.metrics()

    assert (
        'gitops_wf_resource_info{environment="prod",phase="Suspended",'
        f'repository="shop",revision="{sha("c")}",suspended="false"}} 1.0'
        in _by_label(lines)
    )
    assert (
        'gitops_wf_resource_info{environment="staging",phase="Succeeded",'
        f'repository="shop",revision="{sha("c")}",suspended="false"}} 1.0'
        in _by_label(lines)
    )


def test_runs_that_have_not_ended_are_counted_by_phase(site):
    assert 'gitops_wf_runs_active{phase="Suspended"} 1.0' in site.metrics()


def test_a_repository_in_trouble_is_not_ready(tmp_path):
    made = fill(tmp_path)
    store = open_store(made.store)
    with store.transaction() as transaction:
        record = transaction.repository(SHOP)
        transaction.save_repository(replace(record, condition="down", failures=3))
    store.close()

    with served_site(made) as site:
        lines = site.metrics()

    assert 'gitops_wf_repository_ready{repository="shop"} 0.0' in lines
    assert 'gitops_wf_repository_poll_failures{repository="shop"} 3.0' in lines


def test_steps_are_timed_from_start_to_end_by_type_and_phase(site):
    step = StepRun(
        name=StepName("deploy"),
        type="deploy2env",
        phase=Phase.SUCCEEDED,
        started=NOW,
        ended=NOW + timedelta(seconds=7),
    )
    site.counters.step_ended(step)
    site.counters.step_ended(replace(step, phase=Phase.SKIPPED, started=None))
    site.counters.step_ended(replace(step, is_container=True))

    labels = 'phase="Succeeded",type="deploy2env"'
    lines = _by_label(site.metrics())
    assert f"gitops_wf_step_duration_seconds_count{{{labels}}} 1.0" in lines
    assert f"gitops_wf_step_duration_seconds_sum{{{labels}}} 7.0" in lines


def test_messages_are_counted_by_kind_and_outcome(site):
    delivery = Delivery(
        key="k",
        environment=PROD,
        run=None,
        step=None,
        message=Message(item="", kind="slack", channel={}, payload={}),
        phase=DeliveryPhase.SENT,
        created=NOW,
    )
    site.counters.delivery_ended(delivery)
    site.counters.delivery_ended(replace(delivery, phase=DeliveryPhase.FAILED))

    name = "gitops_wf_notifications_deliveries_total"
    lines = site.metrics()
    assert f'{name}{{kind="slack",succeeded="true"}} 1.0' in lines
    assert f'{name}{{kind="slack",succeeded="false"}} 1.0' in lines


def test_polls_and_requests_to_git_are_counted_by_result(site):
    shop = RepositoryName("shop")
    site.counters.polled(shop, succeeded=True)
    site.counters.polled(shop, succeeded=False)
    site.counters.asked_remote(shop, "ls-remote", succeeded=True)

    lines = _by_label(site.metrics())
    assert 'gitops_wf_polls_total{repository="shop",result="failed"} 1.0' in lines
    assert (
        'gitops_wf_git_requests_total{kind="ls-remote",repository="shop",'
        'result="succeeded"} 1.0' in lines
    )
    (last,) = [line for line in lines if "last_poll_timestamp" in line]
    assert float(last.rpartition(" ")[2]) == site.clock.now().timestamp()


def test_housekeeping_tells_what_it_deleted_and_when_it_last_went_well(site):
    took = timedelta(seconds=2)
    site.counters.kept_house({"runs": 3}, took, succeeded=True)
    well = site.clock.now().timestamp()
    site.clock.pass_time(timedelta(hours=1))
    site.counters.kept_house({"runs": 1}, took, succeeded=False)

    lines = site.metrics()
    assert 'gitops_wf_housekeeping_deleted_total{kind="runs"} 4.0' in lines
    assert "gitops_wf_housekeeping_duration_seconds 2.0" in lines
    (last,) = [line for line in lines if "housekeeping_last_success" in line]
    assert float(last.rpartition(" ")[2]) == well


def test_work_is_in_flight_only_while_it_is_done(site):
    seen = []
    work = site.counters.in_flight("attempt", lambda: seen.extend(site.metrics()))

    work()

    assert 'gitops_wf_work_in_flight{kind="attempt"} 1.0' in seen
    assert 'gitops_wf_work_in_flight{kind="attempt"} 0.0' in site.metrics()


def test_every_metric_of_ours_is_on_the_list(site):
    families = text_string_to_metric_families(site.get("/metrics").text)

    told = {family.name for family in families if not family.name.endswith("_created")}
    assert told == {measure.name.removesuffix("_total") for measure in MEASURES}


def test_a_scrape_fails_when_the_store_does_not_answer(tmp_path):
    made = fill(tmp_path)
    with served_site(made) as site:
        break_store(made)

        answer = site.get("/metrics")

    assert answer.status_code == 503
    assert "gitops-wf.db" in answer.json()["detail"]


def test_the_store_tells_what_ended_once_and_only_when_it_is_stored(tmp_path):
    made = fill(tmp_path)
    told = Told()
    store = open_store(made.store, observer=told)
    try:
        with store.read() as reader:
            run = reader.active_run(PROD)
        steps = tuple(
            step
            if step.phase.is_final
            else replace(step, phase=Phase.ABORTED, started=NOW, ended=NOW)
            for step in run.steps
        )
        ended = [s.name for s, old in zip(steps, run.steps, strict=True) if s != old]
        done = replace(
            run, phase=Phase.ABORTED, steps=steps, ended=NOW, seq=run.seq + 1
        )
        assert ended

        def save_twice():
            with store.transaction() as transaction:
                transaction.save_run(done)
                transaction.save_run(done)  # that is a bug, and undoes all

        with pytest.raises(InvalidTransitionError):
            save_twice()
        assert told.seen == []

        with store.transaction() as transaction:
            transaction.save_run(done)
            assert told.seen == []
        assert told.seen == [*(("step", name) for name in ended), ("run", run.id)]
    finally:
        store.close()


def test_a_paused_environment_is_told_as_suspended(tmp_path):
    made = fill(tmp_path)
    store = open_store(made.store)
    pause = Pause(environment=PROD, reason="a flood", by="ann", since=NOW, told=NOW)
    with store.transaction() as transaction:
        transaction.save_pause(pause)
    store.close()

    with served_site(made) as site:
        told = [x for x in site.metrics() if x.startswith("gitops_wf_resource_info")]

    assert [('environment="prod"' in x, 'suspended="true"' in x) for x in told] == [
        (True, True),
        (False, False),
    ]


class Told:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.seen = []

    def run_ended(self, run):
        self.seen.append(("run", run.id))

    def step_ended(self, step):
        self.seen.append(("step", step.name))


def test_an_environment_without_revisions_has_no_phase(tmp_path):
    made = config(tmp_path)
    fill(tmp_path)
    store = open_store(made.store)
    with store.transaction() as transaction:
        prod = transaction.environment(PROD)
        definition = replace(prod.definition, suspend=True)
        transaction.save_environment(
            replace(prod, id="shop/new", name="new", definition=definition)
        )
        transaction.save_revision(revision("prod", 4, "d", Phase.PENDING))
    store.close()

    with served_site(made) as site:
        lines = _by_label(site.metrics())

    assert (
        'gitops_wf_resource_info{environment="new",phase="",repository="shop",'
        'revision="",suspended="true"} 1.0' in lines
    )
    assert any('environment="prod",phase="Pending"' in line for line in lines)


def _by_label(lines: list[str]) -> list[str]:
    """The same lines with their labels in alphabetical order."""
    found = []
    for line in lines:
        name, brace, rest = line.partition("{")
        labels, _, value = rest.rpartition("}")
        ordered = ",".join(sorted(labels.split(",")))
        found.append(f"{name}{{{ordered}}}{value}" if brace else line)
    return found


def test_what_drifted_and_what_is_not_well_is_told_by_target(tmp_path):
    made = fill(tmp_path)
    ref = ObjectRef(group="", kind="ConfigMap", namespace="prod", name="web")
    drifted = (Drifted(ref=ref, kind=DriftKind.MISSING),)
    store = open_store(made.store)
    with store.transaction() as transaction:
        eu, us = TargetName("eu"), TargetName("us")
        transaction.save_upkeep(PROD, eu, UpkeepState(number=1, drifted=drifted))
        transaction.save_upkeep(PROD, us, UpkeepState(number=1, degraded=NOW))
        transaction.save_target(TargetRecord(name=eu, answered=NOW, compared=NOW))
        transaction.save_target(TargetRecord(name=us, away=NOW, error="no answer"))
    store.close()

    with served_site(made) as site:
        site.counters.compared(eu, succeeded=True)
        site.counters.compared(eu, succeeded=False)
        site.counters.healed(eu, succeeded=True)
        lines = _by_label(site.metrics())

    place = 'environment="prod",repository="shop"'
    assert 'gitops_wf_target_ready{target="eu"} 1.0' in lines
    assert 'gitops_wf_target_ready{target="us"} 0.0' in lines
    last = [line for line in lines if "last_comparison_timestamp" in line]
    assert [
        line.rpartition(" ")[0].partition("{")[2] for line in last if "{" in line
    ] == ['target="eu"}']
    assert float(last[-1].rpartition(" ")[2]) == NOW.timestamp()
    assert f'gitops_wf_drifted_objects{{{place},target="eu"}} 1.0' in lines
    assert f'gitops_wf_degraded{{{place},target="us"}} 1.0' in lines
    assert not [
        line
        for line in lines
        if line.startswith("gitops_wf_degraded") and '"eu"' in line
    ]
    counted = 'gitops_wf_drift_comparisons_total{result="failed",target="eu"} 1.0'
    assert counted in lines
    assert 'gitops_wf_drift_heals_total{result="succeeded",target="eu"} 1.0' in lines
