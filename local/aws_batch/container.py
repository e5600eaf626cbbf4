"""What trainings run in, as AWS Batch has a container image for them: an environment with TensorFlow."""

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
    "TensorFlow is not installed. Install it with `make setup` in a checkout or as digits[train] with pip, "
    "or run the container image digits."
)


class PullError(DigitsError):
    """What a training needs cannot be installed."""


class TrainingUnavailableError(DigitsError):
    """Nothing on this machine can train."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "training-unavailable"
    title = "Training unavailable"


@dataclass
class Container:
    """A training's command, and how what it runs in comes to be there.

    Attributes:
        command: of a training.
        installation: the command that installs what it needs; none if that is there.
    """

    command: Sequence[str]
    installation: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def pull(self) -> str:
        """Install what is missing, beside other work. To be called again until all is there.

        Returns:
            How far that is, in words; nothing once trainings can run.

        Raises:
            PullError: it failed. The next call tries again.
        """
        if not self.installation:
            return ""
        if self._process is None:
            self._process = _start(self.installation)
        exit_code = self._process.poll()
        if exit_code is None:
            return f"Installing TensorFlow, once{_amount()}"
        self._process = None
        if exit_code:
            raise PullError(
                f"TensorFlow cannot be installed. {_last_line()} All that was said is in {LOG}."
            )
        self.installation = ()
        return ""


def find_container() -> Container | None:
    """What trainings run in on this machine; None where there is no TensorFlow, and no lock to install it from."""
    if importlib.util.find_spec("tensorflow"):
        return Container([sys.executable, *MODULE])
    if Path(sys.prefix) != ROOT / ".venv":
        return None
    command = [installers.python_of(MARKER.parent), *MODULE]
    if installation.is_installed(LAYER, MARKER):
        return Container(command)
    return Container(
        command, [sys.executable, "-m", "local.setup.installation", LAYER, str(MARKER)]
    )


def require_tensorflow() -> None:
    """See that this process itself can train.

    Raises:
        TrainingUnavailableError: it cannot.
    """
    if not importlib.util.find_spec("tensorflow"):
        raise TrainingUnavailableError(NO_TENSORFLOW)


async def refuse_training(_: Request) -> Response:
    """Answer `POST /train` where nothing can train."""
    raise TrainingUnavailableError(NO_TENSORFLOW)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # It goes on when the server stops, for the next one to find. Two wait for each other.
    try:
        with LOG.open("wb") as log:
            return subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
    except OSError as error:
        raise PullError(
            f"TensorFlow cannot be installed: {error}. Mend this, then train again."
        ) from error


def _amount() -> str:
    """The installer's last word on how far it is."""
    found = re.findall(r"[\d,]+ of [\d,]+ MB", LOG.read_text())
    return f": {found[-1]}" if found else ""


def _last_line() -> str:
    return LOG.read_text().strip().rpartition("\n")[2]
