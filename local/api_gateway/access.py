"""Access: the requests that are open to everybody, and the requests that need the API key."""

import hmac
from collections.abc import Mapping
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
# The open requests: one method per path. All other requests need the key.
OPEN_METHODS = {
    PREDICT: "POST",
    "/": "GET",
    "/health": "GET",
    "/docs": "GET",
    "/openapi.json": "GET",
}
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class AccessError(DigitsError):
    """A setting of access has no meaning."""


class UnauthorizedError(DigitsError):
    """The request has no API key, or a wrong one."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "unauthorized"
    title = "API key missing or wrong"


@dataclass(frozen=True)
class Access:
    """The settings of access.

    Attributes:
        is_exposed: whether other machines reach the server.
        names: the server's host names, besides localhost.
        key: the API key; None if no request needs a key.
        is_predict_open: whether `POST /predict` needs no key.
    """

    is_exposed: bool
    names: frozenset[str]
    key: ApiKey | None
    is_predict_open: bool

    @classmethod
    def from_environment(
        cls, variables: Mapping[str, str], folder: Path, *, is_exposed: bool
    ) -> "Access":
        """Read the settings from environment variables.

        A server that only this machine reaches needs no key, unless a setting is given.
        A setting announces a proxy, which forwards requests from other machines.

        Args:
            variables: the environment. An empty variable counts as an unset variable.
            folder: where a generated key is kept.
            is_exposed: whether other machines reach the server.

        Raises:
            DigitsError: a setting has no meaning, or the key cannot be used.
        """
        names = hosts.allowed_names(variables.get(hosts.VARIABLE, ""))
        is_predict_open = _is_predict_open(variables.get(PREDICT_VARIABLE, ""))
        configured_key = variables.get(keys.VARIABLE)
        key = None
        if configured_key:
            key = keys.parse_key(configured_key)
        elif is_exposed or names or not is_predict_open:
            key = keys.load_or_create_key(folder / "api-key")
        return cls(
            is_exposed=is_exposed,
            names=names,
            key=key,
            is_predict_open=is_predict_open,
        )

    def guard(self, app: ASGIApp, own_path: str) -> ASGIApp:
        """An ASGI app around another app, that refuses requests without access.

        Args:
            app: the app to guard.
            own_path: a secret path. The server's own functions, which have no key, send
                their requests there.
        """
        if self.key:
            open_methods = dict(OPEN_METHODS)
            if not self.is_predict_open:
                del open_methods[PREDICT]
            app = KeyRequired(app, self.key.value, open_methods, own_path)
        return Hosts(app, self.names, is_exposed=self.is_exposed)


class KeyRequired:
    """An ASGI app around another app, that refuses closed requests without the key.

    A refusal comes before the body is read, and before the route is looked up: a caller
    without the key learns nothing of what exists.
    """

    def __init__(
        self, app: ASGIApp, key: str, open_methods: Mapping[str, str], own_path: str
    ) -> None:
        self._app = app
        self._key = key.encode()
        self._own_path = f"{own_path}/".encode()
        self._open = _open_requests(open_methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self._app
        if scope["type"] == "http" and not self._may_pass(scope):
            error = UnauthorizedError(
                "Send the server's API key as `Authorization: Bearer KEY` "
                "or as `x-api-key: KEY`. The server prints at its start where the key is."
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
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        api_key = headers.get("x-api-key", "")
        # Both comparisons always run, so that the time tells nothing about the key.
        has_bearer = hmac.compare_digest(bearer.encode(), self._key)
        has_api_key = hmac.compare_digest(api_key.encode(), self._key)
        return has_bearer or has_api_key


def _is_predict_open(value: str) -> bool:
    if value not in {"", "required"}:
        raise AccessError(
            f"{PREDICT_VARIABLE} is {value!r}. Set the variable to `required`, or unset it."
        )
    return not value


def _open_requests(open_methods: Mapping[str, str]) -> set[tuple[str, str]]:
    """The method and the path of each request that needs no key."""
    requests: set[tuple[str, str]] = set()
    for path, method in open_methods.items():
        methods = {method, "OPTIONS"}
        if method == "GET":
            methods.add("HEAD")
        # A path with and without a slash at its end is one resource.
        paths = {path, f"{path.rstrip('/')}/"}
        requests.update(product(methods, paths))
    return requests
