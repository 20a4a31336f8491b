"""Where the server listens, and what it needs there."""

from __future__ import annotations

import errno
import os

import pytest
from ganstrata.app import serve
from ganstrata.app.serve import LOCAL, Address, bound
from ganstrata.core.errors import UserError


def test_this_machine_alone_needs_no_token() -> None:
    listener, address = bound(LOCAL, 0)
    with listener:
        assert address == Address(LOCAL, listener.getsockname()[1], None)
        assert address.url == f"http://127.0.0.1:{address.port}/"
        assert f"127.0.0.1:{address.port}" in (address.access.names or ())


def test_other_addresses_need_a_token_that_no_server_is_sent() -> None:
    listener, address = bound("127.0.0.2", 0)
    with listener:
        assert address.token
        assert address.url == f"http://127.0.0.2:{address.port}/#token={address.token}"
        assert address.access.knows(address.token)
        assert address.access.names is None


def test_an_address_of_six_is_in_brackets() -> None:
    assert Address("::1", 80, None).url == "http://[::1]:80/"


@pytest.mark.parametrize(
    ("host", "words"), [("", "--host is empty"), ("a" * 70, "at a+, port 0"), ("192.0.2.1", "--host")]
)
def test_an_address_that_cannot_be_is_refused_in_words(host: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        bound(host, 0)


def test_a_port_that_is_taken_is_refused_in_words() -> None:
    """Also while the run of whoever has it is still being opened."""
    listener, address = bound(LOCAL, 0)
    with listener, pytest.raises(UserError, match=f"port {address.port}: Address already in use"):
        bound(LOCAL, address.port)


def test_a_machine_without_addresses_of_six_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(serve.socket, "socket", none)
    with pytest.raises(UserError, match="at ::1, port 80: Address family not supported by protocol; give"):
        bound("::1", 80)
