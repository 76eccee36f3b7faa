"""Where a server may listen."""

import socket

from knarr.app import host_checks


def test_a_port_is_free_until_somebody_listens_there():
    port = host_checks.free_port()
    assert host_checks.is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not host_checks.is_free(port)


def test_a_free_port_is_none_that_the_system_may_deal_out_meanwhile():
    assert {host_checks.free_port() in host_checks.UNDEALT for _ in range(20)} == {True}


def test_where_all_of_those_are_taken_another_is_given(monkeypatch):
    monkeypatch.setattr(host_checks, "is_free", lambda port: False)
    assert host_checks.free_port() > 0
