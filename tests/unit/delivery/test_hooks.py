"""Hooks: what their annotations say, and what cannot be."""

import pytest

from gitops_wf.delivery.hooks import Turn, hook_of, wave_of

ARGO = "argocd.argoproj.io/hook"
HELM = "helm.sh/hook"


def test_what_names_no_hook_is_none():
    assert hook_of({"app": "web", ARGO: "", HELM: "crd-install"}) is None


@pytest.mark.parametrize(
    ("annotations", "turn"),
    [
        ({ARGO: "PreSync"}, Turn.BEFORE),
        ({ARGO: "Sync"}, Turn.AMONG),
        ({ARGO: "PostSync, SyncFail"}, Turn.AFTER),
        ({ARGO: "Skip"}, Turn.NEVER),
        ({ARGO: "Skip,PreSync"}, Turn.BEFORE),
        ({ARGO: "PreDelete,PostDelete"}, Turn.NEVER),
        ({ARGO: "PostSync", HELM: "pre-install"}, Turn.AFTER),
        ({HELM: "pre-install,post-upgrade"}, Turn.BEFORE),
        ({HELM: "post-install,test"}, Turn.AFTER),
        ({HELM: "post-rollback"}, Turn.NEVER),
    ],
)
def test_the_phase_of_a_hook_is_when_it_comes(annotations, turn):
    hook = hook_of(annotations)

    assert hook is not None
    assert hook.turn is turn


@pytest.mark.parametrize(
    ("policies", "changed", "failed", "goes"),
    [
        ({}, True, True, False),
        ({f"{ARGO}-delete-policy": "BeforeHookCreation"}, True, True, False),
        ({f"{ARGO}-delete-policy": "HookSucceeded"}, False, False, True),
        ({f"{ARGO}-delete-policy": "HookFailed"}, False, True, False),
        (
            {f"{HELM}-delete-policy": "before-hook-creation, hook-succeeded"},
            True,
            True,
            True,
        ),
        (
            {
                f"{ARGO}-delete-policy": "HookSucceeded",
                f"{HELM}-delete-policy": "before-hook-creation",
            },
            False,
            False,
            True,
        ),
    ],
)
@pytest.mark.parametrize("hook", [{ARGO: "PreSync"}, {HELM: "pre-upgrade"}])
def test_the_delete_policy_says_when_it_goes(hook, policies, changed, failed, goes):
    found = hook_of(hook | policies)

    assert found is not None
    assert found.runs_when_changed is changed
    assert found.runs_when_failed is failed
    assert found.goes is goes


def test_a_hook_of_a_chart_s_install_alone_does_not_go():
    policy = {f"{HELM}-delete-policy": "hook-succeeded"}

    alone = hook_of({HELM: "post-install", **policy})
    both = hook_of({HELM: "post-install,post-upgrade", **policy})

    assert alone is not None
    assert both is not None
    assert (alone.goes, both.goes) == (False, True)


@pytest.mark.parametrize(
    ("annotations", "error"),
    [
        ({ARGO: "PreSink"}, f"{ARGO}: PreSink is none of PostDelete, PostSync, "),
        ({HELM: "before"}, f"{HELM}: before is none of crd-install, post-delete, "),
        (
            {ARGO: "PostSync,PreSync"},
            f"{ARGO}: PostSync, PreSync: an object runs in one phase only: give each ",
        ),
        (
            {ARGO: "PreSync", f"{ARGO}-delete-policy": "hook-succeeded"},
            f"{ARGO}-delete-policy: hook-succeeded is none of BeforeHookCreation, ",
        ),
        (
            {HELM: "test", f"{HELM}-delete-policy": "never"},
            f"{HELM}-delete-policy: never is none of before-hook-creation, ",
        ),
    ],
)
def test_what_no_hook_can_be_is_named_with_what_is_known(annotations, error):
    with pytest.raises(ValueError, match=r"is none of|one phase") as caught:
        hook_of(annotations)

    assert str(caught.value).startswith(error)


def test_a_wave_that_is_no_number_is_named():
    with pytest.raises(ValueError, match=r"sync-wave must be a whole number, not 'x'"):
        wave_of({ARGO: "PreSync", "argocd.argoproj.io/sync-wave": "x"})
