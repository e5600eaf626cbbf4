"""Error messages for a shell. The shared code names HTTP routes; a shell needs commands."""

import re

from digits.errors import DigitsError

# The commands by the pattern of the hint that they replace.
_COMMANDS = {
    r"GET /models\b": "`digits models list`",
    r"POST /models/(\S+)/release\b": r"`digits models release \1`",
    r"List jobs with GET /train\b": "Start one with `digits train`",
    r"List datasets with GET /datasets\b": "Convert the data with `digits convert`",
    r"Upload one: POST /datasets says where to": "Convert one with `digits convert`",
    r"POST /datasets says where to put one": "Convert a file with `digits convert`",
}


def for_shell(text: str) -> str:
    """A message with commands instead of HTTP routes."""
    for route, command in _COMMANDS.items():
        text = re.sub(route, command, text)
    return text


def explain_error(error: DigitsError | OSError) -> str:
    """An error in one line."""
    if isinstance(error, DigitsError):
        return f"{error.title}: {for_shell(error.detail)}"
    if error.filename is None:
        return system_reason(error)
    return f"{error.filename}: {system_reason(error)}"


def system_reason(error: OSError) -> str:
    """The operating system's reason, such as `is a directory`, without number and file name."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
