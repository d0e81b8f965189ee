"""Connections to PostgreSQL notice that nobody answers, and hold no lock for ever."""

import psycopg
import pytest
import sqlalchemy

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.adapters.sql_store.postgresql import ImpatientConnection
from tests.tcp_proxy import tcp_proxy


class Hasty(ImpatientConnection):
    patience = 0.5


def test_a_server_that_says_nothing_more_is_given_up(postgres):
    with tcp_proxy(postgres.port) as proxy:
        url = f"postgresql://tests@127.0.0.1:{proxy.port}/postgres"
        with Hasty.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            proxy.hang()

            with pytest.raises(psycopg.OperationalError, match=r"for 0\.5 s"):
                connection.execute("SELECT 2")

            assert connection.closed


def test_a_server_that_works_at_an_answer_is_waited_for(postgres):
    with Hasty.connect(postgres.url("postgres")) as connection:
        assert connection.execute("SELECT pg_sleep(0.3)").fetchone() == ("",)


def test_the_server_gives_up_before_us_and_keeps_no_lock_of_the_dead(postgres):
    with postgres.database() as location:
        store = open_store(f"{location}?options=-c%20work_mem=1MB&connect_timeout=3")
        with store.engine.connect() as connection:
            shown = {
                name: connection.execute(sqlalchemy.text(f"SHOW {name}")).scalar()
                for name in (
                    "statement_timeout",
                    "idle_in_transaction_session_timeout",
                    "work_mem",
                )
            }
            made = connection.connection.dbapi_connection
        store.close()

    assert isinstance(made, ImpatientConnection)
    assert shown == {
        "statement_timeout": "15s",
        "idle_in_transaction_session_timeout": "1min",
        "work_mem": "1MB",
    }
