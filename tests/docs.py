"""README.md and docs/ as their readers use them: the commands, a shell to paste them into, a copy of the checkout."""

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import textwrap
import threading
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, need

FENCE = re.compile(
    r"^(?P<indent> *)```(?:console|sh)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
HEADING = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
PROMPT = "$ "
DONE = "-- done --"
# A developer may have set them, and they would lead out of the folder.
LEADING_ELSEWHERE = ("DIGITS_STORE", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL")
# The longest command is a training.
COMMAND_SECONDS = 180


@dataclass(frozen=True)
class Block:
    """Commands of one document.

    Attributes:
        section: the heading above them.
        text: as it stands there: whole commands, or a session with prompts and output.
    """

    section: str
    text: str

    def commands(self) -> list[tuple[str, str]]:
        """Each command of a session, with the output that the reader is told to expect."""
        found: list[tuple[str, str]] = []
        for line in self.text.splitlines(keepends=True):
            command, output = found[-1] if found else ("", "")
            if line.startswith(PROMPT):
                found.append((line.removeprefix(PROMPT), ""))
            elif command.endswith("\\\n") and not output:
                found[-1] = (command + line, "")
            else:
                found[-1] = (command, output + line)
        return found


def blocks(document: str) -> list[Block]:
    """The blocks of a document that are for a shell, in order."""
    text = (ROOT / document).read_text()
    headings = [*HEADING.finditer(text)]
    found = []
    for fence in FENCE.finditer(text):
        above = [
            heading["title"] for heading in headings if heading.start() < fence.start()
        ]
        found.append(Block(above[-1], textwrap.dedent(fence["text"])))
    return found


def pattern(output: str) -> str:
    """A regular expression for output in which `...` stands for anything."""
    return ".*".join(map(re.escape, output.strip().split("...")))


class Shell:
    """A shell that ends at the first failure, at an unset variable, and when a command takes too long.

    Args:
        folder: where the reader is.
        log: takes what is printed as errors. Its folder takes curl's settings.
        variables: what is set beforehand.
    """

    def __init__(self, folder: Path, log: Path, variables: dict[str, str]) -> None:
        self._log = log
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in LEADING_ELSEWHERE
        }
        # curl takes an HTTP error for an answer like any other, unless it is told not to.
        (log.parent / ".curlrc").write_text("fail-with-body\n")
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                ["bash", "-eu", "-o", "pipefail"],  # noqa: S607  found on the PATH
                cwd=folder,
                env=kept | {"CURL_HOME": str(log.parent)} | variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def run(self, command: str) -> str:
        """What a command prints, once it has succeeded."""
        self._type(f"{{\n{command}\n}} </dev/null\necho; echo '{DONE}'\n")
        return self._until(DONE, command).strip()

    def start(self, command: str, ready: str) -> None:
        """Run a command that goes on until `close`; wait until it prints that it is ready."""
        self._type(f"{command}\n")
        self._until(ready, command)

    def close(self) -> None:
        """End the shell and what it has started."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.communicate(timeout=COMMAND_SECONDS)

    def _type(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def _until(self, last: str, command: str) -> str:
        """What is printed before a line with `last` in it."""
        assert self.process.stdout
        impatient = threading.Timer(
            COMMAND_SECONDS, os.killpg, (self.process.pid, signal.SIGKILL)
        )
        impatient.start()
        said = ""
        for line in self.process.stdout:
            if last in line:
                impatient.cancel()
                return said
            said += line
        impatient.cancel()
        return pytest.fail(f"{command}\n{said}\n{self._log.read_text()}")


def copy_checkout(folder: Path) -> None:
    """The files of this checkout, and a .venv that runs them: what a reader does there leaves this one alone."""
    need("git", "curl")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.check_output(command, cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    installed = Path(sysconfig.get_path("purelib"))
    venv.create(folder / ".venv")
    packages = next((folder / ".venv" / "lib").glob("python*/site-packages"))
    # Before the installed packages, among which is this checkout.
    (packages / "checkout.pth").write_text(
        f"{folder}\n{folder / 'layers' / 'shared'}\n{installed}\n"
    )
    binaries = folder / ".venv" / "bin"
    write_tool(
        binaries / "digits",
        binaries / "python",
        "from local.cli.app import main\n\nmain()\n",
    )
    for layer in (".complete", ".serve"):
        (folder / ".venv" / layer).touch()


def write_tool(path: Path, python: Path, program: str) -> None:
    """Make a Python program that is run by its name."""
    path.write_text(f"#!{python}\n{program}")
    path.chmod(0o755)
