"""README.md and docs/ as readers use them: commands, a shell, a copy of the checkout."""

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
from typing import NamedTuple

import pytest

from tests.conftest import ROOT, need

FENCE = re.compile(
    r"^(?P<indent> *)```(?:console|sh)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
HEADING = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
PROMPT = "$ "
DONE = "-- done --"
# A developer may have set these variables, which would lead out of the folder.
LEADING_ELSEWHERE = ("DIGITS_STORE", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL")
# Ends a shell that hangs. The longest commands are a training and the build of an image.
COMMAND_SECONDS = 900


class Command(NamedTuple):
    """A command, with the output that the document shows."""

    text: str
    output: str


@dataclass(frozen=True)
class Block:
    """Commands of one document.

    Attributes:
        section: the heading above the block.
        text: whole commands, or a session with prompts and output.
    """

    section: str
    text: str

    def commands(self) -> list[Command]:
        """The commands of a session."""
        commands: list[Command] = []
        for line in self.text.splitlines(keepends=True):
            if line.startswith(PROMPT):
                commands.append(Command(line.removeprefix(PROMPT), ""))
                continue
            text, output = commands[-1]
            is_continued = text.endswith("\\\n") and not output
            if is_continued:
                commands[-1] = Command(text + line, "")
            else:
                commands[-1] = Command(text, output + line)
        return commands


def blocks(document: str) -> list[Block]:
    """The blocks of a document that are for a shell, in order."""
    text = (ROOT / document).read_text()
    found = []
    for fence in FENCE.finditer(text):
        *_, section = HEADING.findall(text, 0, fence.start())
        found.append(Block(section, textwrap.dedent(fence["text"])))
    return found


def pattern(output: str) -> str:
    """A regular expression for output in which `...` stands for anything."""
    return ".*".join(map(re.escape, output.strip().split("...")))


class Shell:
    """A shell that ends at the first failure, unset variable or command that takes too long.

    Args:
        folder: the working folder.
        log: takes stderr. Its folder takes curl's settings.
        variables: of the environment.
    """

    def __init__(self, folder: Path, log: Path, variables: dict[str, str]) -> None:
        self._log = log
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in LEADING_ELSEWHERE
        }
        # Without this setting, curl succeeds when the server answers with an error.
        (log.parent / ".curlrc").write_text("fail-with-body\n")
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                ["bash", "-eu", "-o", "pipefail"],  # noqa: S607  on the PATH
                cwd=folder,
                env=kept | {"CURL_HOME": str(log.parent)} | variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def run(self, command: str) -> str:
        """The output of a command, which must succeed."""
        self._type(f"{{\n{command}\n}} </dev/null\necho; echo '{DONE}'\n")
        return self._until(DONE, command).strip()

    def start(self, command: str, ready: str) -> None:
        """Run a command until `close`. Wait until the command prints `ready`."""
        self._type(f"{command}\n")
        self._until(ready, command)

    def close(self) -> None:
        """End the shell and the processes that it has started."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.communicate(timeout=COMMAND_SECONDS)

    def _type(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def _until(self, last: str, command: str) -> str:
        """The output before a line that contains `last`."""
        assert self.process.stdout
        kill = threading.Timer(
            COMMAND_SECONDS, os.killpg, (self.process.pid, signal.SIGKILL)
        )
        kill.start()
        output = ""
        for line in self.process.stdout:
            if last in line:
                kill.cancel()
                return output
            output += line
        kill.cancel()
        return pytest.fail(f"{command}\n{output}\n{self._log.read_text()}")


def copy_checkout(folder: Path) -> None:
    """Copy this checkout with a .venv of its own, so that commands leave this checkout alone."""
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
    # The copy comes before the installed packages, which include this checkout.
    paths = [folder, folder / "layers" / "shared", installed]
    (packages / "checkout.pth").write_text("".join(f"{path}\n" for path in paths))
    binaries = folder / ".venv" / "bin"
    program = "from local.cli.app import main\n\nmain()\n"
    write_tool(binaries / "digits", binaries / "python", program)
    for layer in (".complete", ".serve"):
        (folder / ".venv" / layer).touch()


def write_tool(path: Path, python: Path, program: str) -> None:
    """Make an executable file of a Python program."""
    path.write_text(f"#!{python}\n{program}")
    path.chmod(0o755)
