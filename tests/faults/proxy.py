"""The proxy that tests use."""

import re
import threading
from random import Random
from typing import Self

from tests.faults.rules import Book, Fault, Request, Rule
from tests.faults.server import Server

# The default interval of 0.5 s would delay the end of each test.
_POLL_SECONDS = 0.02


class FaultProxy:
    """An HTTP server on loopback that passes requests to `upstream`, with faults as the rules say.

    Use it as a context manager.

    Attributes:
        upstream: the URL of the endpoint behind the proxy.
        url: the endpoint for the client.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self._book = Book()
        self._server = Server(upstream, self._book)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(_POLL_SECONDS,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def add(  # noqa: PLR0913  Each is a keyword with a default.
        self,
        fault: Fault,
        *,
        method: str = ".*",
        key: str = "",
        times: int | None = None,
        probability: float = 1,
        seed: int = 0,
        seconds: float = 0,
    ) -> Rule:
        """Inject a fault into matching requests. The first matching rule but LATENCY decides.

        Args:
            fault: what happens.
            method: a regular expression for the whole method.
            key: a regular expression for a part of `/bucket/prefix/key?query`, decoded.
            times: apply to this number of requests; None for all.
            probability: apply to this share of the matching requests.
            seed: for the draws of `probability`.
            seconds: how long LATENCY lasts.

        Returns:
            The rule, whose `hits` counts the requests that it applied to.
        """
        rule = Rule(
            fault,
            re.compile(method),
            re.compile(key),
            times,
            probability,
            seconds,
            Random(seed),  # noqa: S311  The draws keep no secret.
        )
        self._book.add_rule(rule)
        return rule

    def clear(self) -> None:
        """Inject no faults into further requests. Requests that hang keep hanging."""
        self._book.clear_rules()

    def requests(self, method: str = ".*", key: str = "") -> list[Request]:
        """The requests since the start or the last `forget`; arguments as for `add`."""
        return [
            request
            for request in self._book.recorded()
            if re.fullmatch(method, request.method)
            and re.search(key, f"{request.path}?{request.query}")
        ]

    def forget(self) -> None:
        """Start the list of requests anew."""
        self._book.forget()
