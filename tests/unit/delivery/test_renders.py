"""A render is made once, and comes back as it was; the longest unused goes."""

import pytest

from gitops_wf.core.inventory import ObjectRef
from gitops_wf.delivery.rendering import Desired
from gitops_wf.delivery.renders import Renders


def objects(text):
    manifest = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": text}}
    ref = ObjectRef.of(manifest)
    return [Desired(ref=ref, manifest=manifest, path="a.yaml", line=3)]


def never():
    raise AssertionError("it was rendered before")


def test_what_was_rendered_comes_back_as_it_was():
    renders = Renders()
    first = renders.get("prod", lambda: objects("1"))

    assert renders.get("prod", never) == first == tuple(objects("1"))


def test_a_render_that_failed_is_made_again():
    renders = Renders()
    with pytest.raises(AssertionError):
        renders.get("prod", never)

    assert renders.get("prod", lambda: objects("1")) == tuple(objects("1"))


def test_the_longest_unused_goes_where_there_is_too_much():
    renders = Renders(most_bytes=1_500)
    renders.get("a", lambda: objects("a"))
    renders.get("b", lambda: objects("b"))
    renders.get("a", never)

    renders.get("c", lambda: objects("c"))

    renders.get("a", never)
    with pytest.raises(AssertionError):
        renders.get("b", never)
