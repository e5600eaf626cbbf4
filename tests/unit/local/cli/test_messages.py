"""What the command line prints besides its answers."""

import os
import re
from pathlib import Path

import pytest

from digits.errors import UnknownError
from local.cli.quiet import without_notices
from local.wording import explain_error, for_shell

SHARED = Path(__file__).parents[4] / "layers" / "shared" / "digits"
ROUTE = re.compile(r"(GET|POST|PUT|DELETE) /|\?accept=")
# Its messages are about routes, or name both.
OF_HTTP = {"problems.py", "doctor"}


def test_no_message_of_the_shared_code_speaks_of_routes_at_a_shell() -> None:
    sources = [
        path.read_text() for path in SHARED.rglob("*.py") if not OF_HTTP & {*path.parts}
    ]
    raised = [
        text
        for source in sources
        for text in re.findall(r'(?<!"")f?"([^"\n]+)"(?!"")', source)
    ]
    messages = [text for text in raised if ROUTE.search(text)]
    assert len(messages) > 5
    assert [text for text in messages if ROUTE.search(for_shell(text))] == []


def test_a_hint_names_the_command() -> None:
    told = explain_error(
        UnknownError("There is no model 'x'. List models with GET /models.")
    )
    assert (
        told
        == "Not found: There is no model 'x'. List models with `digits models list`."
    )
    assert (
        for_shell("It can be: POST /models/v1/release")
        == "It can be: `digits models release v1`"
    )


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("docs", "docs: is a directory"),
        ("nowhere.png", "nowhere.png: no such file or directory"),
    ],
)
def test_the_system_s_errors_are_in_words(path: str, told: str) -> None:
    with (
        pytest.raises(OSError, match=path) as failed,
        (SHARED.parents[2] / path).open(),
    ):
        pass
    failed.value.filename = path
    assert explain_error(failed.value) == told


def test_an_error_that_names_no_file_says_why() -> None:
    assert explain_error(OSError("It is broken")) == "it is broken"


def test_notices_are_held_back_and_errors_are_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with without_notices():
        os.write(2, b"INFO: Created a delegate.\nERROR: It failed.\n")
    os.write(2, b"INFO: after\n")
    assert capfd.readouterr().err == "ERROR: It failed.\nINFO: after\n"
