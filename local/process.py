"""The process of a training: it outlives the gateway that started it, and the next gateway finds it again."""

import fcntl
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

# The shell stays beside the training to write down how it ended, which only a parent can learn.
_SCRIPT = 'echo $$ >"$0/pid"; "$@"; echo $? >"$0/exit.part"; mv "$0/exit.part" "$0/exit"'


class Process:
    """What runs for a job, known by the files in the job's folder.

    The processes hold a lock on the file `lock` through a descriptor that they inherit. The kernel takes it from them
    when the last one ends, however it ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def forget(self) -> None:
        """Remove the traces of an earlier process, lest they be taken for the next one's."""
        for name in ("pid", "exit"):
            (self._folder / name).unlink(missing_ok=True)

    def start(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Run a command in a session of its own, after `forget`. Its output is added to the file `log`.

        Raises:
            OSError: it cannot be started.
        """
        with (self._folder / "lock").open("ab") as lock, (self._folder / "log").open("ab") as log:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, str(self._folder), *command],
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        """Whether any process of the last `start` still runs."""
        with (self._folder / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def exit_code(self) -> int | None:
        """How the command ended; None when nobody could write it down, as after a power cut."""
        return _read_number(self._folder / "exit")

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to all processes. Only for a live one: its process group cannot be another's then.

        Returns:
            Whether it was sent. At its very start a process cannot be reached yet.
        """
        group = _read_number(self._folder / "pid")
        if group is None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        return True


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
