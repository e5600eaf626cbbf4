"""The process of a training: it outlives the gateway that started it, and the next gateway finds it again."""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

# The shell stays beside the training to note how it ended, which only a parent can
# learn. It notes numbers as names of empty files: a disk that is full takes no content,
# but a file can still be renamed.
_SCRIPT = ': >"$0/pid.$$"; "$@"; mv "$0/pid.$$" "$0/exit.$?"'


class Process:
    """What runs for a job, known by the files in the job's folder.

    The processes hold a lock on the file `lock` through a descriptor that they inherit.
    The kernel takes it from them when the last one ends, however it ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = folder / "tmp"

    def forget(self) -> None:
        """Remove the traces of an earlier process, lest they be taken for the next one's."""
        for path in [*self._folder.glob("pid.*"), *self._folder.glob("exit.*")]:
            path.unlink(missing_ok=True)
        self.remove_temporary()

    def remove_temporary(self) -> None:
        """Remove what a command that is over has left in its temporary folder, as one that is killed does."""
        shutil.rmtree(self._temporary, ignore_errors=True)

    def start(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Run a command in a session of its own, after `forget`. Its output is added to the file `log`.

        Its temporary files go to a folder of its own, `TMPDIR`.

        Raises:
            OSError: it cannot be started.
        """
        self._temporary.mkdir(exist_ok=True)
        with (
            (self._folder / "lock").open("ab") as lock,
            (self._folder / "log").open("ab") as log,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, str(self._folder), *command],
                cwd=cwd,
                env={**environment, "TMPDIR": str(self._temporary)},
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
        """How the command ended; None when nobody could note it, as after a power cut."""
        return self._number("exit")

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to all processes. Only for a live one: its process group cannot be another's then.

        Returns:
            Whether it was sent. At its very start a process cannot be reached yet.
        """
        group = self._number("pid")
        if group is None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        return True

    def _number(self, name: str) -> int | None:
        found = next(self._folder.glob(f"{name}.*"), None)
        return int(found.suffix[1:]) if found else None
