"""uvicorn's HTTP protocol with limits: slow or many clients must not keep others out."""

import asyncio
import resource
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# From the start of the connection, or the last response, to the end of a request's head.
HEAD_SECONDS = 10.0
# A client that sends or reads nothing for this long is cut off. A body may take longer
# in all, at the minimum rate or faster.
BODY_SECONDS = 30.0
MIN_BYTES_PER_SECOND = 1024
MAX_CONNECTIONS = 512

# The client's state while it does not read the response.
_NOT_READING = object()


class Protocol(H11Protocol):
    """uvicorn's protocol, with deadlines for the client.

    uvicorn closes a connection only if the client stays silent after a response. Here a
    client has a deadline in every state. At the limit of connections, a new connection
    closes an idle connection.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The state of the client that the deadline is for.
        self._awaited: object = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Set the deadline for the first request."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > _max_connections():
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Extend the deadline of a body, and pass the data on."""
        if self._awaited is h11.SEND_BODY:
            # A fast start earns no longer pause than BODY_SECONDS.
            latest = self.loop.time() + BODY_SECONDS
            extended = self._deadline + len(data) / MIN_BYTES_PER_SECOND
            self._deadline = min(extended, latest)
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Set the deadline for the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Set the deadline for the client to read."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Replace the deadline for the client to read."""
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the deadline."""
        super().connection_lost(exc)
        self._stop_timer()

    def _watch(self) -> None:
        """Set the deadline for the client's state, unless that deadline is set already."""
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
        if self.flow.read_paused:  # The server is slow, not the client.
            self._start_timer(BODY_SECONDS)
        elif self._deadline > self.loop.time():
            self._timer = self.loop.call_at(self._deadline, self._on_time)
        else:
            self._abort()

    def _make_room(self) -> None:
        """Close the longest idle connection, or else the slowest, or else this connection."""
        others = cast("set[Protocol]", self.connections - {self})
        waiting = [connection for connection in others if connection._timer]  # noqa: SLF001
        victim = min(waiting, key=Protocol._closing_order, default=self)
        victim._abort()  # noqa: SLF001

    def _closing_order(self) -> tuple[bool, float]:
        is_busy = self._awaited is not h11.IDLE
        return is_busy, self._deadline

    def _abort(self) -> None:
        self._stop_timer()
        self.transport.abort()


def _max_connections() -> int:
    # The functions, the store and the jobs need the other half of the file descriptors.
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(MAX_CONNECTIONS, descriptors // 2)
