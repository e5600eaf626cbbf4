"""The API key: given by `DIGITS_API_KEY`, or made at the first start and kept in a file."""

import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from digits.errors import DigitsError
from local.wording import system_reason

VARIABLE = "DIGITS_API_KEY"
MIN_CHARACTERS = 16
# What a header can carry, and no shell or parser takes apart.
_KEY = re.compile(rf"[!-~]{{{MIN_CHARACTERS},}}")


class ApiKeyError(DigitsError):
    """There is no key that can be used."""


@dataclass(frozen=True)
class ApiKey:
    """The key.

    Attributes:
        value: what callers send.
        path: where it is kept; None if it was given.
    """

    value: str
    path: Path | None = None


def parse_key(value: str) -> ApiKey:
    """The key that the user has set.

    Raises:
        ApiKeyError: it is too short, or cannot be sent.
    """
    if not _KEY.fullmatch(value):
        raise ApiKeyError(
            f"{VARIABLE} cannot be used as a key. Set it to at least {MIN_CHARACTERS} ASCII letters, digits and signs, "
            "without spaces. To have a key made, leave it unset."
        )
    return ApiKey(value)


def load_or_create_key(path: Path) -> ApiKey:
    """The key in a file, which is made where there is none.

    The file is there whole or not at all, and no other user could read it at any
    moment. Servers that start at once agree on one key.

    Raises:
        ApiKeyError: the file cannot be read or written, or what it holds is no key.
    """
    try:
        if not path.exists():
            _make(path)
        value = path.read_bytes().decode("ascii", "replace").strip()
    except OSError as error:
        raise ApiKeyError(
            f"The API key in {path} cannot be read or made: {system_reason(error)}. "
            f"Make the file readable and its folder writable for this user, or set {VARIABLE}."
        ) from error
    if not _KEY.fullmatch(value):
        raise ApiKeyError(
            f"{path} holds no API key. Delete the file, and the next start makes a new key."
        )
    return ApiKey(value, path)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # It has the mode 0600, and goes when it is closed; the link to what it holds stays.
    with NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.") as file:
        file.write(f"{secrets.token_urlsafe()}\n")
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):  # Another server was faster.
            os.link(file.name, path)
