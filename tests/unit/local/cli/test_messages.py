"""Messages and notices of the command line."""

import os
import re
from pathlib import Path

import pytest

from digits.errors import UnknownError
from local.cli.quiet import without_notices
from local.wording import explain_error, for_shell

SHARED = Path(__file__).parents[4] / "layers" / "shared" / "digits"
# A string on one line, but no docstring.
STRING = re.compile(r'(?<!"")f?"([^"\n]+)"(?!"")')
ROUTE = re.compile(r"(GET|POST|PUT|DELETE) /|\?accept=")
# Messages about routes, or with both a route and a command.
OF_HTTP = {"problems.py", "doctor"}


def test_messages_of_the_shared_code_name_commands_at_a_shell() -> None:
    messages: list[str] = []
    for path in SHARED.rglob("*.py"):
        if not OF_HTTP & {*path.parts}:
            strings = STRING.findall(path.read_text())
            messages += filter(ROUTE.search, strings)
    assert len(messages) > 5
    for message in messages:
        assert not ROUTE.search(for_shell(message))


def test_a_hint_names_the_command() -> None:
    message = explain_error(
        UnknownError("There is no model 'x'. List models with GET /models.")
    )
    assert (
        message
        == "Not found: There is no model 'x'. List models with `digits models list`."
    )
    assert (
        for_shell("It can be: POST /models/v1/release")
        == "It can be: `digits models release v1`"
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("docs", "docs: is a directory"),
        ("nowhere.png", "nowhere.png: no such file or directory"),
    ],
)
def test_errors_of_the_operating_system_are_in_words(path: str, message: str) -> None:
    with (
        pytest.raises(OSError, match=path) as failed,
        (SHARED.parents[2] / path).open(),
    ):
        pass
    failed.value.filename = path
    assert explain_error(failed.value) == message


def test_an_error_without_a_file_gives_the_reason() -> None:
    assert explain_error(OSError("It is broken")) == "it is broken"


def test_notices_are_dropped_and_errors_are_kept(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with without_notices():
        os.write(2, b"INFO: Created a delegate.\nERROR: It failed.\n")
    os.write(2, b"INFO: after\n")
    assert capfd.readouterr().err == "ERROR: It failed.\nINFO: after\n"
