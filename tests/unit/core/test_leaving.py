"""What is told of an object that is on its way out."""

import pytest

from gitops_wf.core.changeset import Leaving


@pytest.mark.parametrize(
    ("finalizers", "told"),
    [
        ([], "ConfigMap/shop/web"),
        (["foregroundDeletion"], "ConfigMap/shop/web"),
        (
            ["example.com/hold", "foregroundDeletion"],
            "ConfigMap/shop/web (finalizers: example.com/hold)",
        ),
    ],
)
def test_only_what_somebody_may_have_to_take_off_is_named(finalizers, told):
    metadata = {"name": "web", "namespace": "shop", "finalizers": finalizers}
    live = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    assert str(Leaving.of(live)) == told
