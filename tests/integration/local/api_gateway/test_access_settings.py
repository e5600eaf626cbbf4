"""A server with invalid settings of access does not start."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.local.conftest import PROJECT

# Longer than the start of a server.
TIMEOUT_SECONDS = 20


def refusal(root: Path, host: str = "127.0.0.1", **variables: str) -> str:
    """The message of a server that does not start."""
    command = [sys.executable, "-m", "local.cli", "serve", "--port", "0"]
    settings = {
        "PYTHONPATH": f"{PROJECT}:{PROJECT / 'layers' / 'shared'}",
        "DIGITS_STORE": (root / "store").as_uri(),
    }
    process = subprocess.run(
        [*command, "--host", host],
        cwd=PROJECT,
        env=settings | variables,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert process.returncode == 1
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"DIGITS_API_KEY": "fifteen-letters"}, "at least 16"),
        ({"DIGITS_API_KEY": "sixteen letters-"}, "without spaces"),
        ({"DIGITS_API_KEY": "a-key-with-an-é-in-it"}, "ASCII"),
        ({"DIGITS_API_KEY": "a-key-with\na-new-line"}, "DIGITS_API_KEY"),
        ({"DIGITS_PREDICT_KEY": "yes"}, "Set the variable to `required`"),
        (
            {"DIGITS_ALLOWED_HOSTS": "https://digits.example.org"},
            "without scheme and port",
        ),
        (
            {"DIGITS_ALLOWED_HOSTS": "a.example,digits.example.org:443"},
            "'digits.example.org:443'",
        ),
    ],
)
def test_an_invalid_setting_keeps_the_server_from_starting(
    tmp_path: Path, variables: dict[str, str], message: str
) -> None:
    assert message in refusal(tmp_path, **variables)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "no name", "", "127.0.0.1:80", "http://127.0.0.1"]
)
def test_an_address_of_another_machine_is_named(tmp_path: Path, host: str) -> None:
    assert f"The address {host!r} cannot be used: " in refusal(tmp_path, host)


def test_a_file_without_a_key_keeps_the_server_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "store" / ".batch" / "api-key"
    path.parent.mkdir(parents=True)
    for content in ("", "\n", "short"):
        path.write_text(content)
        assert f"{path} contains no API key" in refusal(tmp_path, "0.0.0.0")  # noqa: S104
    path.unlink()
    path.mkdir()
    assert "is a directory" in refusal(tmp_path, "0.0.0.0")  # noqa: S104
