"""Which names the server answers to, and which pages may call it.

A page of another site can send requests through a browser that reaches the server. The
browser says in `Origin` where the page is from. But the site can lead its own name to
the server's address by DNS (DNS rebinding), and then page and server have the same
origin. So the server answers only to the names that it knows. An IP address cannot be
rebound.
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
# Browsers and URL parsers read other forms in different ways.
_NAME = r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]"
_HOST = re.compile(rf"(?P<name>{_NAME})(:[0-9]{{1,5}})?")
_ORIGIN = re.compile(r"https?://(?P<host>.+)")


class AllowedHostsError(DigitsError):
    """The variable names something that is not the name of a host."""


class ForeignRequestError(DigitsError):
    """The request comes from a page of another site, or under a name that is not this server's."""

    status = HTTPStatus.FORBIDDEN
    slug = "foreign-request"
    title = "Foreign request"


def allowed_names(text: str) -> frozenset[str]:
    """The names in a value of `DIGITS_ALLOWED_HOSTS`.

    Raises:
        AllowedHostsError: there is something else among them.
    """
    names = {name.strip().lower() for name in text.split(",")} - {""}
    for name in names:
        if name != ANY and not re.fullmatch(_NAME, name):
            raise AllowedHostsError(
                f"{VARIABLE} has {name!r}, which is not the name of a host. "
                "Set it to names without scheme and port, such as digits.example.org, with commas between them."
            )
    return frozenset(names)


class Hosts:
    """An ASGI app around another one, that keeps out requests of other sites' pages.

    Args:
        app: gets the others.
        names: the names that the server answers to, besides localhost. `*` is any name.
        is_exposed: whether other machines reach the server, by any of its addresses.
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
        if scope["type"] == "http" and (error := self._objection(Headers(scope=scope))):
            app = problem_response(error)
        await app(scope, receive, send)

    def _objection(self, headers: Headers) -> ForeignRequestError | None:
        host = headers.get("host", "").lower()
        if not self._is_allowed(host):
            return ForeignRequestError(self._advice(host))
        origin = headers.get("origin")
        if origin is not None and not _is_origin_of(host, origin):
            return ForeignRequestError(
                f"A page of {origin} may not call {host}. Use the page that is served here."
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
            return (
                f"{host!r} is not the name of a host. Call this server by its address."
            )
        return (
            f"This server does not go by the name {match['name']}. Call it by its address, such as http://127.0.0.1, "
            f"or start it with {VARIABLE}={match['name']}."
        )


def _is_origin_of(host: str, origin: str) -> bool:
    """Whether a page is from where the request goes to.

    Host and port are enough. Behind a proxy that speaks TLS the page is https, and the
    request arrives here as http. Only who controls the browser's network could make a
    page of the same host with the other scheme, and that page has no access to the API
    key, which the browser keeps by scheme, too.
    """
    match = _ORIGIN.fullmatch(origin.lower())
    return match is not None and match["host"] == host
