"""Tokens of ServiceAccounts: believed as long as their time and their account last."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gitops_wf.sandbox.http.tokens import AccountTokens
from gitops_wf.sandbox.storage import Storage
from tests.sandboxcluster import START

ACCOUNT = {"metadata": {"name": "deployer", "namespace": "a", "uid": "one"}}


@pytest.fixture
def storage():
    storage = Storage(":memory:")
    storage.put("serviceaccounts", dict(ACCOUNT))
    return storage


@pytest.fixture
def tokens(storage):
    return AccountTokens("secret", storage)


def issued(tokens, **spec):
    return tokens.issue(ACCOUNT, {"spec": spec}, START)["status"]["token"]


def test_a_token_is_that_of_its_account_with_the_groups_of_all_accounts(tokens):
    user = tokens.user(issued(tokens), START)

    assert user.name == "system:serviceaccount:a:deployer"
    assert user.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:a",
        "system:authenticated",
    )


def test_a_token_dies_with_its_time(tokens):
    token = issued(tokens, expirationSeconds=600)

    assert tokens.user(token, START + timedelta(seconds=599))
    assert tokens.user(token, START + timedelta(seconds=600)) is None


def test_a_token_dies_with_its_account_even_if_one_of_its_name_comes(tokens, storage):
    token = issued(tokens)
    storage.put(
        "serviceaccounts",
        {"metadata": {**ACCOUNT["metadata"], "uid": "another"}},
    )

    assert tokens.user(token, START) is None


def test_a_token_for_others_than_the_api_server_is_not_believed(tokens):
    assert tokens.user(issued(tokens, audiences=["vault"]), START) is None


@pytest.mark.parametrize("forged", ["", "x", "a.b.c", "é", "a" * 10_000])
def test_what_is_no_token_is_not_believed(tokens, forged):
    assert tokens.user(forged, START) is None


def test_a_token_that_was_changed_is_not_believed(tokens, storage):
    head, body, signature = issued(tokens).split(".")
    other = issued(AccountTokens("other", storage))

    assert tokens.user(f"{head}.{body[:-1]}.{signature}", START) is None
    assert tokens.user(other, START) is None
