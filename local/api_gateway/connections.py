"""The HTTP protocol of a connection, with limits: clients that are slow, or many, must not keep the others out."""

import asyncio
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# From the connection's start, or the last answer, to the end of a request's head.
HEAD_SECONDS = 10.0
# For a body to go on, and an answer to be read on. A body may take longer in all, at no
# less than this rate.
BODY_SECONDS = 30.0
MIN_BYTES_PER_SECOND = 1024
MAX_CONNECTIONS = 512

_NOT_READING = object()


class Protocol(H11Protocol):
    """uvicorn's own, which closes a connection only when that stays silent after an answer.

    When there is no room for another connection, one that waits for its client is
    closed to make room.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # What the client is to do next, as far as it has a deadline.
        self._awaited: object = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > _max_connections():
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent."""
        if self._awaited is h11.SEND_BODY:
            latest = self.loop.time() + BODY_SECONDS  # No credit for having been fast.
            self._deadline = min(
                self._deadline + len(data) / MIN_BYTES_PER_SECOND, latest
            )
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        super().connection_lost(exc)
        self._stop_timer()

    def _watch(self) -> None:
        """Set the deadline for what the client is to do next, unless it runs already."""
        awaited = _NOT_READING if self.flow.write_paused else self.conn.their_state
        if awaited is self._awaited:
            return
        self._awaited = awaited
        self._stop_timer()
        if awaited is h11.IDLE:
            self._start_timer(HEAD_SECONDS)
        elif awaited in (h11.SEND_BODY, _NOT_READING):
            self._start_timer(BODY_SECONDS)

    def _start_timer(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        self._timer = self.loop.call_at(self._deadline, self._on_time)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None

    def _on_time(self) -> None:
        if self.flow.read_paused:  # It is we who are slow.
            self._start_timer(BODY_SECONDS)
        elif self._deadline > self.loop.time():
            self._timer = self.loop.call_at(self._deadline, self._on_time)
        else:
            self._abort()

    def _make_room(self) -> None:
        """Close the connection that has waited longest for a request; without one, the slowest; else this one."""
        others = [
            it
            for it in self.connections
            if isinstance(it, Protocol) and it is not self and it._timer  # noqa: SLF001
        ]
        closest = min(
            others,
            key=lambda it: (it._awaited is not h11.IDLE, it._deadline),  # noqa: SLF001
            default=self,
        )
        closest._abort()  # noqa: SLF001

    def _abort(self) -> None:
        self._stop_timer()
        self.transport.abort()


def _max_connections() -> int:
    """Half of the descriptors, at most: the functions, the store and the jobs need some, too."""
    return min(MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
