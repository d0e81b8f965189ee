import copy
import json
import pickle

import pytest

from gitops_wf.core.secret import Secret

CANARY = "c4n4ry-value"


def test_no_way_of_printing_shows_the_value():
    secret = Secret(CANARY)

    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", f"{secret!r}"]
    shown += [format(secret), f"{[secret]} { ({'k': secret}) }"]

    assert not [text for text in shown if CANARY in text]


def test_a_secret_cannot_be_pickled_or_made_json():
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        json.dumps(Secret(CANARY))


def test_the_value_is_revealed_on_request_and_compared_as_a_value():
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(CANARY) == copy.deepcopy(Secret(CANARY))
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    assert not Secret("")
