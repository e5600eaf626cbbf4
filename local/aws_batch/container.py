"""The stand-in for the container image of trainings: a Python environment with TensorFlow."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from digits.errors import DigitsError
from local.checkout import ROOT
from local.setup import installation, installers

LAYER = "training"
MARKER = ROOT / ".venv" / LAYER / ".complete"
LOG = ROOT / ".venv" / f"{LAYER}.log"
MODULE = ("-m", "training")
NO_TENSORFLOW = (
    "TensorFlow is not installed. Run `make setup` in a checkout, "
    "`pip install digits[train]`, or the container image `digits`."
)


class PullError(DigitsError):
    """TensorFlow cannot be installed."""


class TrainingUnavailableError(DigitsError):
    """This machine cannot train."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "training-unavailable"
    title = "Training unavailable"


@dataclass
class Container:
    """The environment of trainings.

    Attributes:
        command: runs a training.
        installation: the command that installs TensorFlow; empty once that is done.
    """

    command: Sequence[str]
    installation: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def pull(self) -> str:
        """Start to install TensorFlow in the background, or look how far the installation is.

        Returns:
            The progress in words; an empty string once trainings can run.

        Raises:
            PullError: the installation failed. The next call starts again.
        """
        if not self.installation:
            return ""
        if self._process is None:
            self._process = _start(self.installation)
        exit_code = self._process.poll()
        if exit_code is None:
            return f"Installing TensorFlow{_progress()}"
        self._process = None
        if exit_code:
            raise PullError(
                f"TensorFlow cannot be installed. {_last_line()} The whole log is {LOG}."
            )
        self.installation = ()
        return ""


def find_container() -> Container | None:
    """The environment of trainings; None where TensorFlow is missing and cannot be installed."""
    if importlib.util.find_spec("tensorflow"):
        return Container([sys.executable, *MODULE])
    if Path(sys.prefix) != ROOT / ".venv":
        return None
    command = [installers.python_of(MARKER.parent), *MODULE]
    if installation.is_installed(LAYER, MARKER):
        return Container(command)
    installer = [sys.executable, "-m", "local.setup.installation"]
    return Container(command, [*installer, LAYER, str(MARKER)])


def require_tensorflow() -> None:
    """Check that this process can train.

    Raises:
        TrainingUnavailableError: TensorFlow is not installed.
    """
    if not importlib.util.find_spec("tensorflow"):
        raise TrainingUnavailableError(NO_TENSORFLOW)


async def refuse_training(_: Request) -> Response:
    """Answer `POST /train` on a machine that cannot train."""
    raise TrainingUnavailableError(NO_TENSORFLOW)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # The installation continues when the server stops, and the next server finds the
    # result. Two installations wait for each other.
    try:
        with LOG.open("wb") as log:
            return subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
    except OSError as error:
        raise PullError(
            f"TensorFlow cannot be installed: {error}. Correct this, then train again."
        ) from error


def _progress() -> str:
    """The last progress in the installer's log, such as `: 120 of 1,718 MB`."""
    amounts = re.findall(r"[\d,]+ of [\d,]+ MB", LOG.read_text())
    return f": {amounts[-1]}" if amounts else ""


def _last_line() -> str:
    return LOG.read_text().strip().rpartition("\n")[2]
