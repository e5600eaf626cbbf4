"""Where the server listens, and the URL at which its own functions reach it."""

import errno
import os
import socket
from ipaddress import ip_address
from typing import Any

from digits.errors import DigitsError

LOOPBACK = "127.0.0.1"
# Where a server that listens on every address is reached from its own machine.
_OF_EVERY = {
    "0.0.0.0": LOOPBACK,  # noqa: S104  compared with, not listened on
    "::": LOOPBACK if socket.has_dualstack_ipv6() else "::1",
}
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class AddressError(DigitsError):
    """The server cannot listen there."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections.

    Args:
        host: an address of this machine, or a name of such an address. `0.0.0.0` is
            every IPv4 address, `::` is every address.
        port: 0 takes any free one.

    Raises:
        AddressError: the address or the port cannot be used.
    """
    family, address = _resolve(host)
    is_ipv6 = family == socket.AF_INET6
    try:
        return socket.create_server(
            (address[0], port, *address[2:]),
            family=family,
            dualstack_ipv6=is_ipv6 and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        if error.errno in _NOT_HERE:
            raise _wrong_address(host, reason) from error
        raise AddressError(
            f"Port {port} of {host} cannot be used: {reason}. Choose another port: make run PORT=3100"
        ) from error


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine reaches the socket."""
    return ip_address(listener.getsockname()[0]).is_loopback


def own_url(listener: socket.socket) -> str:
    """The URL at which this machine reaches the socket."""
    address, port = listener.getsockname()[:2]
    host = _OF_EVERY.get(address, address)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolve(host: str) -> tuple[int, tuple[Any, ...]]:
    """The family and the socket address of a host. A name with addresses of both families is its IPv4 address."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _wrong_address(
            host, getattr(error, "strerror", None) or str(error)
        ) from error
    family, _, _, _, address = min(found, key=lambda it: it[0] != socket.AF_INET)
    return family, address


def _wrong_address(host: str, reason: str) -> AddressError:
    return AddressError(
        f"The address {host!r} cannot be used: {reason}. "
        "Use an address of this machine; 0.0.0.0 is every IPv4 address, :: every address."
    )
