"""What annotations ask of a delivery: ours, Flux's, Argo CD's, and their typos."""

import pytest

from gitops_wf.delivery.marks import Marks, Skip, kept_by_mark, marks_of

FLUX = "kustomize.toolkit.fluxcd.io"
ARGO = "argocd.argoproj.io/sync-options"
HOOK = "argocd.argoproj.io/hook"


def manifest(part="annotations", **marks):
    return {"metadata": {part: {key.replace("__", "/"): v for key, v in marks.items()}}}


@pytest.mark.parametrize(
    ("marks", "asked"),
    [
        ({}, Marks()),
        ({"app": "web"}, Marks()),
        ({f"{FLUX}/ssa": "Override"}, Marks(forces_conflicts=True)),
        ({f"{FLUX}/ssa": "merge"}, Marks(forces_conflicts=True, takes_over=False)),
        ({f"{FLUX}/ssa": "Ignore"}, Marks(skip=Skip.ALWAYS)),
        ({"gitops-wf.io/ssa": "IfNotPresent"}, Marks(skip=Skip.IF_PRESENT)),
        # Ours come before Flux's.
        (
            {f"{FLUX}/ssa": "Ignore", "gitops-wf.io/ssa": "Override"},
            Marks(forces_conflicts=True),
        ),
        ({f"{FLUX}/force": "enabled"}, Marks(recreates=True)),
        ({f"{FLUX}/force": "disabled"}, Marks()),
        ({ARGO: "Force=true, Replace=true"}, Marks(recreates=True, forces_conflicts=1)),
        ({ARGO: "ClientSideApplyMigration=false"}, Marks(takes_over=False)),
        ({ARGO: "Validate=false,PruneLast=true,ServerSideApply=true"}, Marks()),
    ],
)
@pytest.mark.parametrize("part", ["annotations", "labels"])
def test_annotations_and_labels_say_how_an_object_is_applied(part, marks, asked):
    found = marks_of(manifest(part, **marks))

    assert (found.skip, found.recreates) == (asked.skip, asked.recreates)
    assert found.forces_conflicts == asked.forces_conflicts
    assert found.takes_over == asked.takes_over


@pytest.mark.parametrize(
    ("marks", "why"),
    [
        ({"helm.sh/hook": "test"}, "helm.sh/hook: test"),
        ({"helm.sh/hook": "pre-delete"}, "helm.sh/hook: pre-delete"),
        ({HOOK: "SyncFail"}, f"{HOOK}: SyncFail"),
        ({HOOK: "Skip", "helm.sh/hook": "pre-install"}, f"{HOOK}: Skip"),
        ({HOOK: "PostDelete", "gitops-wf.io/ssa": "Override"}, f"{HOOK}: PostDelete"),
    ],
)
def test_a_hook_whose_time_never_comes_is_left_alone_and_says_why(marks, why):
    found = marks_of(manifest(**marks))

    assert (found.skip, found.why) == (Skip.ALWAYS, why)


@pytest.mark.parametrize(
    ("marks", "error"),
    [
        ({f"{FLUX}/ssa": "Never"}, "ssa: Never is none of Override, Merge, IfNot"),
        ({f"{FLUX}/prune": "no"}, "prune: no is none of allowed, disabled, enabled"),
        ({f"{FLUX}/reconcile": "off"}, "reconcile: off is none of disabled"),
        ({"gitops-wf.io/force": "yes"}, "gitops-wf.io/force: yes is none of"),
        ({HOOK: "presync"}, f"{HOOK}: presync is none of PostDelete, PostSync, PreDel"),
        ({ARGO: "Purne=false"}, "Purne is no sync option of an object; known: "),
        ({ARGO: "Prune=no"}, "Prune=no is none of Prune=confirm, Prune=false"),
    ],
)
def test_an_unknown_value_is_named_with_those_that_are_known(marks, error):
    with pytest.raises(ValueError, match=r"is none of|known: ") as caught:
        marks_of(manifest(**marks))

    assert error in str(caught.value)


@pytest.mark.parametrize(
    ("marks", "why"),
    [
        ({f"{FLUX}/prune": "disabled"}, f"{FLUX}/prune: disabled"),
        ({"gitops-wf.io/reconcile": "disabled"}, "gitops-wf.io/reconcile: disabled"),
        ({ARGO: "Validate=false, Prune=confirm"}, f"{ARGO}: Prune=confirm"),
        ({ARGO: "Prune=true"}, ""),
        ({f"{FLUX}/prune": "whatever"}, ""),
    ],
)
def test_a_mark_on_the_cluster_keeps_an_object(marks, why):
    assert kept_by_mark(manifest(**marks)) == why
