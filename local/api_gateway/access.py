"""Who may call the server: what is open to everybody, and what wants the API key."""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import product
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from digits.errors import DigitsError
from local.api_gateway import hosts, keys
from local.api_gateway.gateway import problem_response
from local.api_gateway.hosts import Hosts
from local.api_gateway.keys import ApiKey

PREDICT_VARIABLE = "DIGITS_PREDICT_KEY"
PREDICT = "/predict"
# The method that is open, by path. All else wants the key.
OPEN = {
    PREDICT: "POST",
    "/": "GET",
    "/health": "GET",
    "/docs": "GET",
    "/openapi.json": "GET",
}
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class AccessError(DigitsError):
    """The settings of access make no sense."""


class UnauthorizedError(DigitsError):
    """The request has no API key, or a wrong one."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "unauthorized"
    title = "API key missing or wrong"


@dataclass(frozen=True)
class Access:
    """Who may call.

    Attributes:
        is_exposed: whether other machines reach the server.
        names: what it is called, besides localhost.
        key: None if nothing wants a key.
        is_predict_open: whether `POST /predict` goes without the key.
    """

    is_exposed: bool
    names: frozenset[str]
    key: ApiKey | None
    is_predict_open: bool

    @classmethod
    def from_environment(
        cls, variables: Mapping[str, str], folder: Path, *, is_exposed: bool
    ) -> "Access":
        """Read the settings.

        A server that only this machine reaches wants no key, unless any of the settings
            is given: then a proxy will bring requests from elsewhere.

        Args:
            variables: of the environment. An empty variable is as good as none.
            folder: where the key is kept, if it is made.
            is_exposed: whether other machines reach the server.

        Raises:
            DigitsError: a setting makes no sense, or there is no key that can be used.
        """
        names = hosts.allowed_names(variables.get(hosts.VARIABLE, ""))
        given = variables.get(keys.VARIABLE)
        predict = variables.get(PREDICT_VARIABLE)
        if predict not in (None, "", "required"):
            raise AccessError(
                f"{PREDICT_VARIABLE} is {predict!r}. Set it to required, or leave it unset."
            )
        key = None
        if given:
            key = keys.parse_key(given)
        elif is_exposed or names or predict:
            key = keys.load_or_create_key(folder / "api-key")
        return cls(
            is_exposed=is_exposed, names=names, key=key, is_predict_open=not predict
        )

    def guard(self, app: ASGIApp, own_path: str) -> ASGIApp:
        """An ASGI app around another one, that lets in who may call.

        Args:
            app: the one to guard.
            own_path: a secret. Requests under it are from the server's own functions,
                which have no key.
        """
        if self.key:
            closed = () if self.is_predict_open else (PREDICT,)
            app = KeyRequired(app, self.key.value, closed, own_path)
        return Hosts(app, self.names, is_exposed=self.is_exposed)


class KeyRequired:
    """An ASGI app around another one, that wants the key where a request is for nothing open.

    It answers before it reads a body, and before anyone looks whether there is what the
    request is for.
    """

    def __init__(
        self, app: ASGIApp, key: str, closed: Collection[str], own_path: str
    ) -> None:
        self._app = app
        self._key = key.encode()
        self._own_path = f"{own_path}/".encode()
        self._open = _open_requests(closed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self._app
        if scope["type"] == "http" and not self._may_pass(scope):
            error = UnauthorizedError(
                "Send this server's API key, as Authorization: Bearer KEY or as x-api-key: KEY. "
                "The server names the key, or the file that keeps it, when it starts."
            )
            app = problem_response(error, CHALLENGE)
        await app(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        is_open = (scope["method"], scope["path"]) in self._open
        return is_open or self._is_own(scope) or self._has_key(Headers(scope=scope))

    def _is_own(self, scope: Scope) -> bool:
        path = scope["path"].encode()
        return hmac.compare_digest(path[: len(self._own_path)], self._own_path)

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        sent = [
            headers.get("x-api-key", ""),
            token.strip() if scheme.lower() == "bearer" else "",
        ]
        return any([hmac.compare_digest(key.encode(), self._key) for key in sent])  # noqa: C419  both, in constant time


def _open_requests(closed: Collection[str]) -> set[tuple[str, str]]:
    """The method and the path of each request that needs no key."""
    found = set()
    for path, method in OPEN.items():
        if path not in closed:
            # HEAD is GET without the body, and OPTIONS is told which methods there are.
            methods = {method, "OPTIONS"} | ({"HEAD"} if method == "GET" else set())
            # A path and the same with a slash at its end are one resource.
            paths = {path, f"{path.rstrip('/')}/"}
            found |= set(product(methods, paths))
    return found
