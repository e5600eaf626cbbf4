"""The address where the server listens, and the URL for its own functions."""

import errno
import os
import socket
from ipaddress import ip_address
from typing import Any

from digits.errors import DigitsError

LOOPBACK = "127.0.0.1"
# The address that reaches a server on every address, from its own machine.
_LOOPBACK_OF_EVERY = {
    "0.0.0.0": LOOPBACK,  # noqa: S104  a key, not an address to listen on
    "::": LOOPBACK if socket.has_dualstack_ipv6() else "::1",
}
# The address belongs to no interface of this machine.
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class AddressError(DigitsError):
    """The server cannot listen at the address."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Args:
        host: an address or a host name of this machine. `0.0.0.0` is every IPv4
            address, `::` is every address.
        port: a port number; 0 for any free port.

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
            f"Port {port} of {host} cannot be used: {reason}. "
            "Choose another port, as in `make run PORT=3100`."
        ) from error


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    return ip_address(listener.getsockname()[0]).is_loopback


def own_url(listener: socket.socket) -> str:
    """The URL that reaches the socket from this machine."""
    address, port = listener.getsockname()[:2]
    host = _LOOPBACK_OF_EVERY.get(address, address)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolve(host: str) -> tuple[int, tuple[Any, ...]]:
    """The address family and the socket address of a host, of IPv4 where there is a choice."""
    try:
        candidates = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _wrong_address(host, reason) from error
    for family, _, _, _, address in candidates:
        if family == socket.AF_INET:
            return family, address
    family, _, _, _, address = candidates[0]
    return family, address


def _wrong_address(host: str, reason: str) -> AddressError:
    return AddressError(
        f"The address {host!r} cannot be used: {reason}. Use an address of this machine, "
        "0.0.0.0 for every IPv4 address, or :: for every address."
    )
