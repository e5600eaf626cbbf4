"""Faults, the rules that select requests for them, and the record of requests."""

import re
import threading
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """What happens to a request."""

    LATENCY = "latency"
    """The request waits for the rule's `seconds`, before other rules or the upstream."""
    HANG = "hang"
    """No effect and no answer, until the client gives up or the proxy closes."""
    INTERNAL_ERROR = "500 InternalError"
    SLOW_DOWN = "503 SlowDown"
    TOO_MANY_REQUESTS = "429 TooManyRequests"
    CONDITIONAL_CONFLICT = "409 ConditionalRequestConflict"
    PRECONDITION_FAILED = "412 PreconditionFailed"
    """Each of these errors is answered in S3's format, and nothing takes effect."""
    RESET = "reset"
    """The connection is reset, and nothing takes effect."""
    LOST_REPLY = "lost reply"
    """The request takes effect, and the connection is reset instead of an answer."""
    TRUNCATED = "truncated"
    """The answer has its full Content-Length and half of its bytes. Then the connection closes."""


@dataclass(frozen=True)
class Request:
    """A request that reached the proxy.

    Attributes:
        method: such as GET.
        path: decoded.
        query: decoded.
        status: of the answer; None if the client got no answer.
        faults: what was injected; empty for a request that passed unharmed.
        started: when the request came, by `time.monotonic`.
        ended: when the request was answered or given up.
    """

    method: str
    path: str
    query: str
    status: int | None
    faults: tuple[Fault, ...]
    started: float
    ended: float


@dataclass
class Rule:
    """Injects a fault into matching requests.

    Attributes:
        fault: what happens.
        method: matches the whole method.
        key: matches a part of `/bucket/prefix/key?query`, decoded.
        times: the largest number of requests that the rule applies to; None for no limit.
        probability: the share of the matching requests that the rule applies to.
        seconds: how long LATENCY lasts.
        random: draws for `probability`.
        hits: how many requests the rule has applied to.
    """

    fault: Fault
    method: re.Pattern[str]
    key: re.Pattern[str]
    times: int | None
    probability: float
    seconds: float
    random: Random
    hits: int = 0

    def applies(self, method: str, target: str) -> bool:
        """Whether the rule applies to this request. Counts the hit."""
        if self.times is not None and self.hits >= self.times:
            return False
        if not (self.method.fullmatch(method) and self.key.search(target)):
            return False
        if self.random.random() >= self.probability:
            return False
        self.hits += 1
        return True


class Book:
    """The rules and the recorded requests, shared by the server's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._requests: list[Request] = []

    def add_rule(self, rule: Rule) -> None:
        """Apply a rule from now on."""
        with self._lock:
            self._rules.append(rule)

    def clear_rules(self) -> None:
        """Apply no rule to further requests."""
        with self._lock:
            self._rules.clear()

    def applying(self, method: str, target: str) -> list[Rule]:
        """The rules that apply to a request: latencies, then at most one other rule."""
        rules = []
        with self._lock:
            for rule in self._rules:
                if rule.applies(method, target):
                    rules.append(rule)
                    if rule.fault is not Fault.LATENCY:
                        break
        return rules

    def record(self, request: Request) -> None:
        """Add a request to the record."""
        with self._lock:
            self._requests.append(request)

    def recorded(self) -> list[Request]:
        """The requests since the start, or since the last `forget`."""
        with self._lock:
            return list(self._requests)

    def forget(self) -> None:
        """Start the record anew."""
        with self._lock:
            self._requests.clear()
