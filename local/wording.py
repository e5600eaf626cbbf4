"""Errors and hints in the words of a shell: the shared code speaks of HTTP's routes, whoever asks."""

import re

from digits.errors import DigitsError

# What a caller of the API is told, as a pattern, and what to tell at a shell instead.
_AT_A_SHELL = {
    r"GET /models\b": "`digits models list`",
    r"POST /models/(\S+)/release\b": r"`digits models release \1`",
    r"List the jobs with GET /train\b": "Start one with `digits train`",
    r"List the datasets with GET /datasets\b": "Convert the data with `digits convert`",
    r"Upload one: POST /datasets says where to": "Convert one with `digits convert`",
    r"POST /datasets says where to put one": "Convert a file with `digits convert`",
}


def for_shell(text: str) -> str:
    """A message with commands in place of HTTP's routes."""
    for route, command in _AT_A_SHELL.items():
        text = re.sub(route, command, text)
    return text


def explain_error(error: DigitsError | OSError) -> str:
    """What went wrong, in one line."""
    if isinstance(error, DigitsError):
        return f"{error.title}: {for_shell(error.detail)}"
    return (
        system_reason(error)
        if error.filename is None
        else f"{error.filename}: {system_reason(error)}"
    )


def system_reason(error: OSError) -> str:
    """Why the system refused, such as `is a directory`, without the error's number and the file's name."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
