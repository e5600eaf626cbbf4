"""The host names of the server, and the web pages that may call it.

A page of another site can send requests through a browser that reaches the server. The
browser names the page's site in `Origin`. But with DNS rebinding the other site points
its own name at the server's address, and page and server have the same origin. So the
server answers only requests to its own names. An IP address cannot be rebound.
"""

import re
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from digits.errors import DigitsError
from local.api_gateway.gateway import problem_response

VARIABLE = "DIGITS_ALLOWED_HOSTS"
ANY = "*"
LOCAL = frozenset({"localhost"})
# Browsers and URL parsers disagree about other forms.
_NAME = r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]"
_HOST = re.compile(rf"(?P<name>{_NAME})(:[0-9]{{1,5}})?")
_ORIGIN = re.compile(r"https?://(?P<host>.+)")


class AllowedHostsError(DigitsError):
    """The variable contains a value that is not a host name."""


class ForeignRequestError(DigitsError):
    """The request comes from a page of another site, or names another host."""

    status = HTTPStatus.FORBIDDEN
    slug = "foreign-request"
    title = "Foreign request"


def allowed_names(text: str) -> frozenset[str]:
    """The names in a value of `DIGITS_ALLOWED_HOSTS`.

    Raises:
        AllowedHostsError: a part of the value is not a host name.
    """
    names = {name.strip().lower() for name in text.split(",")}
    names.discard("")
    for name in names:
        if name != ANY and not re.fullmatch(_NAME, name):
            raise AllowedHostsError(
                f"{VARIABLE} contains {name!r}, which is not a host name. Set the variable "
                "to host names without scheme and port, separated by commas, "
                "such as digits.example.org."
            )
    return frozenset(names)


class Hosts:
    """An ASGI app around another app, that refuses requests from pages of other sites.

    Args:
        app: gets the requests that are not refused.
        names: the server's host names, besides localhost. `*` is any name.
        is_exposed: whether other machines reach the server, at any of its addresses.
    """

    def __init__(
        self, app: ASGIApp, names: AbstractSet[str], *, is_exposed: bool
    ) -> None:
        self._app = app
        self._names = LOCAL | names
        self._is_exposed = is_exposed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self._app
        if scope["type"] == "http":
            error = self._check(Headers(scope=scope))
            if error:
                app = problem_response(error)
        await app(scope, receive, send)

    def _check(self, headers: Headers) -> ForeignRequestError | None:
        host = headers.get("host", "").lower()
        if not self._is_allowed(host):
            return ForeignRequestError(self._advice(host))
        origin = headers.get("origin")
        if origin is not None and not _is_origin_of(host, origin):
            return ForeignRequestError(
                f"A page of {origin} may not call {host}. Use the page of this server."
            )
        return None

    def _is_allowed(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"]
        return (
            name in self._names
            or ANY in self._names
            or self._is_allowed_address(name.strip("[]"))
        )

    def _is_allowed_address(self, name: str) -> bool:
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return self._is_exposed or address.is_loopback

    def _advice(self, host: str) -> str:
        match = _HOST.fullmatch(host)
        if match is None:
            return f"{host!r} is not a host name. Call this server by its address."
        name = match["name"]
        return (
            f"This server does not have the name {name}. Call the server by its address, "
            f"such as http://127.0.0.1, or start it with {VARIABLE}={name}."
        )


def _is_origin_of(host: str, origin: str) -> bool:
    """Whether a page comes from the host that the request goes to.

    Equal host and port are enough. Behind a proxy that speaks TLS the page has the
    scheme https, and the request arrives here with http. Only an attacker in the
    browser's network could serve a page of the same host under the other scheme, and
    the browser keeps the API key from that page, as it keeps keys by scheme.
    """
    match = _ORIGIN.fullmatch(origin.lower())
    return match is not None and match["host"] == host
