"""The process of a training, which outlives the server that started the training."""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

# Only a parent process learns an exit status, so a shell stays as the parent of the
# training. The shell writes numbers into the names of empty files: on a full disk a file
# can be renamed, but gets no content.
_SCRIPT = ': >"$0/pid.$$"; "$@"; mv "$0/pid.$$" "$0/exit.$?"'


class Process:
    """The processes of a job, known by the files in the job's folder.

    The processes inherit a descriptor that holds a lock on the file `lock`. The kernel
    releases the lock when the last process ends, even if the process is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = folder / "tmp"

    def forget(self) -> None:
        """Remove the files of an earlier process, so that they are not taken for the next one's."""
        for path in [*self._folder.glob("pid.*"), *self._folder.glob("exit.*")]:
            path.unlink(missing_ok=True)
        self.remove_temporary()

    def remove_temporary(self) -> None:
        """Remove the temporary folder, which a killed command leaves behind."""
        shutil.rmtree(self._temporary, ignore_errors=True)

    def start(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Run a command in its own session, after `forget`.

        The output is appended to the file `log`. `TMPDIR` is a folder of the job.

        Raises:
            OSError: the command cannot be started.
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
        """Whether a process of the last `start` still runs."""
        with (self._folder / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def exit_code(self) -> int | None:
        """The command's exit status; None if it was not recorded, as after a power cut."""
        return self._number("exit")

    def send_signal(self, number: signal.Signals) -> bool:
        """Send a signal to all processes of the job.

        The job must be alive: the id of a dead process group may belong to others.

        Returns:
            Whether the signal was sent. A process that just starts has no id yet.
        """
        group = self._number("pid")
        if group is None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        return True

    def _number(self, name: str) -> int | None:
        path = next(self._folder.glob(f"{name}.*"), None)
        return int(path.suffix[1:]) if path else None
