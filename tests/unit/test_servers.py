import pytest

from tests import servers


def test_a_missing_server_skips_with_the_command_that_mends_it(monkeypatch):
    monkeypatch.delenv(servers.REQUIRE, raising=False)

    with pytest.raises(pytest.skip.Exception, match="apt-get install x"):
        servers.missing("x", "apt-get install x")


def test_a_missing_server_fails_where_servers_are_required(monkeypatch):
    monkeypatch.setenv(servers.REQUIRE, "1")

    with pytest.raises(pytest.fail.Exception, match="apt-get install x"):
        servers.missing("x", "apt-get install x")
