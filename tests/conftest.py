"""What all tests share: how hypothesis looks, and a real API server where one is given."""

import contextlib
import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.apiserver import real_api_server

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "ci", parent=settings.get_profile("default"), derandomize=True, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "default")

_RUNNING = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start the API server of KUBEBUILDER_ASSETS once, before any worker does.

    The suites that can run on a real one look at KUBECONFIG.
    """
    # A shell ignores it for what it runs in the background, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    is_worker = hasattr(config, "workerinput")
    if assets and not os.environ.get("KUBECONFIG") and not is_worker:
        kubeconfig = _RUNNING.enter_context(real_api_server(Path(assets)))
        os.environ["KUBECONFIG"] = str(kubeconfig)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what everything else stands on: a push, an approval, a revert.

    Then the suites with long files, so that no worker is left alone with one at the
    end. What is long is left out unless it is asked for.
    """
    items.sort(key=_turn)
    if not os.environ.get("GITOPS_WF_LONG"):
        left_out = pytest.mark.skip(reason="long: set GITOPS_WF_LONG to run it")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(left_out)


def _turn(item: pytest.Item) -> int:
    if item.path.name == "test_first_light.py":
        return 0
    return (
        1 if {"e2e", "security", "model", "integration"} & set(item.path.parts) else 2
    )


def pytest_unconfigure() -> None:
    """End it."""
    _RUNNING.close()
