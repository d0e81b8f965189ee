"""What `plan` and `diff` print, line by line."""

from gitops_wf.cli.diff_text import diff_json, diff_lines
from gitops_wf.cli.plan_text import plan_lines
from gitops_wf.core.changeset import Change
from gitops_wf.core.freeze import Frozen
from gitops_wf.core.identifiers import (
    EnvironmentId,
    RepositoryName,
    Sha,
    StepName,
    TargetName,
)
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned, PlannedObject
from gitops_wf.core.policy import Policy
from gitops_wf.services.plan_views import (
    Asked,
    PlannedCommit,
    PlannedEnvironment,
    PlannedStep,
)

FEW = Policy(approvers=("ann@example.com",), min_approvals=1)


def thing(name, change, kind="ConfigMap", **more):
    group = "apps" if kind == "Deployment" else ""
    ref = ObjectRef(group=group, kind=kind, namespace="shop", name=name)
    return PlannedObject(ref=ref, change=change, **more)


def step(name="deploy", *objects, phase=Phase.SUCCEEDED, failure="", reason="", **more):
    planned = Planned(objects=objects, failure=failure, reason=reason)
    return PlannedStep(
        name=StepName(name),
        type="deploy2env",
        phase=phase,
        **{"planned": planned, "target": TargetName("eu"), **more},
    )


def commit(*steps, said=(), **more):
    environment = PlannedEnvironment(
        id=EnvironmentId("shop/prod"),
        folder="envs/prod",
        what="changed",
        steps=steps,
        **{"number": 7, **more},
    )
    return PlannedCommit(
        repository=RepositoryName("shop"),
        base=Sha("a" * 40),
        commit=Sha("b" * 40),
        source="topic bbbbbbbb, merged into main aaaaaaaa",
        environments=(environment,),
        unaffected=("qa",),
        notes=said,
    )


def printed(lines):
    return [line.plain for line in lines]


def test_each_change_has_its_mark_and_unchanged_objects_are_counted():
    found = commit(
        step(
            "deploy",
            thing("new", Change.CREATED),
            thing("web", Change.CONFIGURED, kind="Deployment"),
            thing("old", Change.DELETED),
            thing("kept", Change.SKIPPED, message="kept: by hand"),
            thing("a", Change.UNCHANGED),
            thing("b", Change.UNCHANGED),
        )
    )

    assert printed(plan_lines(found)) == [
        "shop: topic bbbbbbbb, merged into main aaaaaaaa",
        "",
        "prod#7 (changed, envs/prod)",
        "  deploy on eu  deploy2env",
        "    + ConfigMap/shop/new created",
        "    ~ Deployment/shop/web configured",
        "    - ConfigMap/shop/old deleted",
        "    = ConfigMap/shop/kept skipped (kept: by hand)",
        "    = 2 unchanged",
        "",
        "1 environment: 1 created, 1 configured, 2 unchanged, 1 deleted, 1 skipped",
        "not affected: qa",
    ]


def test_a_refusal_is_told_once_and_the_step_is_said_to_fail():
    refused = thing("web", None, refusal="Service/shop/web: field is immutable")
    after = thing("late", None, message="not reached: the step fails before")
    found = commit(
        step(
            "deploy", refused, after, phase=Phase.FAILED, reason="Immutable",
            failure="Service/shop/web: field is immutable",
        )
    )  # fmt: skip

    assert printed(plan_lines(found))[3:8] == [
        "  deploy on eu  deploy2env",
        "    ! ConfigMap/shop/web refused: Service/shop/web: field is immutable",
        "    ? ConfigMap/shop/late not reached: the step fails before",
        "    the step fails: Immutable",
        "",
    ]


def test_a_failure_of_the_whole_step_is_told_in_full():
    found = commit(step(phase=Phase.ERRORED, reason="ExecutionError", failure="away"))

    assert "    the step fails: ExecutionError: away" in printed(plan_lines(found))


def test_what_holds_and_what_is_asked_for_stands_where_it_holds():
    found = commit(
        step(
            approvals=(Asked(policy=FEW, gate="eu"), Asked(policy=Policy())),
            frozen=Frozen(reason="deny", until=None),
            condition="outputs.v == '1'",
        ),
        PlannedStep(
            name=StepName("tell"), type="notification", target=None,
            phase=Phase.SKIPPED, message="if: revision.rollback is false",
        ),
        holds=("waits until staging has succeeded",),
        notes=("no longer delivers to us: its 2 objects stay there",),
        rollback_of=3,
    )  # fmt: skip

    assert printed(plan_lines(found))[2:12] == [
        "prod#7 (changed, envs/prod, back to #3)",
        "  before it begins: waits until staging has succeeded",
        "  no longer delivers to us: its 2 objects stay there",
        "  deploy on eu  deploy2env",
        "    if: outputs.v == '1' (the run decides)",
        "    waits for approval at the gate of eu: 1 from ann@example.com",
        "    waits for approval: 1 from any author",
        "    frozen: deny",
        "    nothing to apply",
        "  tell  notification  skipped: if: revision.rollback is false",
    ]


def test_what_a_step_does_elsewhere_has_a_line_of_its_own():
    told = Planned(effects=("sends POST to https://ci.example",))
    found = commit(step("call", planned=told, target=None))

    assert printed(plan_lines(found))[3:5] == [
        "  call  deploy2env",
        "    > sends POST to https://ci.example",
    ]
    (shown,) = found.as_json()["environments"][0]["steps"]
    assert shown["effects"] == ["sends POST to https://ci.example"]


def test_an_invalid_definition_runs_nothing():
    found = commit(problems=("envs/prod/workflow.yaml:4: no type",), number=None)

    assert printed(plan_lines(found))[2:5] == [
        "prod (changed, envs/prod)",
        "  envs/prod/workflow.yaml:4: no type",
        "  InvalidDefinition: nothing runs",
    ]


def test_a_text_of_others_cannot_move_the_cursor():
    found = commit(problems=("envs/\x1b[2J:4: no type",), said=("a\x1b[1Ab",))

    assert "\x1b" not in "".join(printed(plan_lines(found)))
    assert "\x1b" not in "".join(printed(diff_lines(found)))


def test_a_difference_is_a_unified_diff_of_what_is_live():
    before = {"kind": "Deployment", "spec": {"image": "nginx:1", "replicas": 1}}
    after = {"kind": "Deployment", "spec": {"image": "nginx:2", "replicas": 1}}
    web = thing("web", Change.CONFIGURED, "Deployment", before=before, after=after)
    same = thing("same", Change.UNCHANGED, before=before, after=before)
    found = commit(step("deploy", web, same))

    assert printed(diff_lines(found)) == [
        "shop: topic bbbbbbbb, merged into main aaaaaaaa",
        "",
        "prod#7 (changed, envs/prod)",
        "deploy on eu",
        "===== apps/Deployment shop/web configured =====",
        "--- live/Deployment/shop/web",
        "+++ planned/Deployment/shop/web",
        "@@ -1,4 +1,4 @@",
        " kind: Deployment",
        " spec:",
        "-  image: nginx:1",
        "+  image: nginx:2",
        "   replicas: 1",
    ]
    objects = diff_json(found)["environments"][0]["steps"][0]["objects"]
    assert "+  image: nginx:2" in objects[0]["diff"]
    assert objects[1]["diff"] == ""


def test_an_environment_without_differences_is_left_out_of_a_diff():
    found = commit(step("deploy", thing("same", Change.UNCHANGED)))

    assert len(printed(diff_lines(found))) == 1
