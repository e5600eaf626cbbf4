"""The API key: from `DIGITS_API_KEY`, or generated at the first start and kept in a file."""

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
# Printable ASCII without spaces: a header can carry the key, and no shell splits it.
_KEY = re.compile(rf"[!-~]{{{MIN_CHARACTERS},}}")


class ApiKeyError(DigitsError):
    """The key is missing or unusable."""


@dataclass(frozen=True)
class ApiKey:
    """An API key.

    Attributes:
        value: the text that callers send.
        path: the file with the key; None if the key comes from the environment.
    """

    value: str
    path: Path | None = None


def parse_key(value: str) -> ApiKey:
    """The key in a value of `DIGITS_API_KEY`.

    Raises:
        ApiKeyError: the value is too short, or has characters that a header cannot carry.
    """
    if not _KEY.fullmatch(value):
        raise ApiKeyError(
            f"{VARIABLE} cannot be used as a key. Set the variable to at least "
            f"{MIN_CHARACTERS} ASCII letters, digits and signs, without spaces. "
            "Unset the variable to let the server generate a key."
        )
    return ApiKey(value)


def load_or_create_key(path: Path) -> ApiKey:
    """The key in a file. A missing file is created, with a new key.

    The file appears whole, and no other user can read it at any moment. Servers that
    start at the same time agree on one key.

    Raises:
        ApiKeyError: the file cannot be read or written, or contains no key.
    """
    try:
        if not path.exists():
            _create(path)
        value = path.read_bytes().decode("ascii", "replace").strip()
    except OSError as error:
        raise ApiKeyError(
            f"The API key in {path} cannot be read or written: {system_reason(error)}. "
            "Let this user read the file and write to its folder, "
            f"or set {VARIABLE}."
        ) from error
    if not _KEY.fullmatch(value):
        raise ApiKeyError(
            f"{path} contains no API key. Delete the file. The next start generates a new key."
        )
    return ApiKey(value, path)


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The temporary file has mode 0600. Its content stays under the linked name.
    with NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.") as file:
        file.write(f"{secrets.token_urlsafe()}\n")
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):  # Another server has created the key.
            os.link(file.name, path)
