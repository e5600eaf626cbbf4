"""Puts MNIST at data/mnist.npz: a verified download, or a copy of the user's file."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from digits.datasets import npz
from digits.errors import DigitsError, InvalidDatasetError
from local.wording import system_reason

# The file and the checksum of Keras:
# https://github.com/keras-team/keras/blob/v3.15.0/keras/src/datasets/mnist.py
# Keras' own `load_data` accepts no path, and loads TensorFlow.
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
# Seconds without data from the server.
TIMEOUT = 30.0

_CHUNK = 2**16
_REMEDY = "Use a copy with `MNIST_NPZ=path/to/mnist.npz make data`."


class DataError(DigitsError):
    """MNIST cannot be downloaded or copied."""

    slug = "no-data"
    title = "No data"


def download(
    target: Path, url: str = URL, sha256: str = SHA256, timeout: float = TIMEOUT
) -> None:
    """Download a file, through the proxy that the environment names, if any.

    Args:
        target: the path. The file appears whole, or not at all.
        url: the source.
        sha256: the SHA-256 of the file, in hexadecimal.
        timeout: the longest pause without data from the server, in seconds.

    Raises:
        DataError: the server did not send the whole file, or sent another file.
    """
    with _whole(target) as partial:
        digest = hashlib.sha256()
        with partial.open("wb") as file:
            for chunk in _chunks(url, timeout):
                digest.update(chunk)
                file.write(chunk)
        actual = digest.hexdigest()
        if actual != sha256:
            raise DataError(
                f"{url} is not the expected file: its SHA-256 is {actual}. {_REMEDY}"
            )


def copy(source: Path, target: Path) -> None:
    """Copy a user's npz. The target appears whole, or not at all.

    Raises:
        DataError: the source cannot be converted to a dataset.
    """
    if not source.is_file():
        problem = "is not a file" if source.exists() else "does not exist"
        raise DataError(
            f"{source} {problem}. Set MNIST_NPZ to the path of an npz file."
        )
    with _whole(target) as partial:
        shutil.copyfile(source, partial)
        try:
            with partial.open("rb") as file, npz.unpack_npz(file):
                pass
        except InvalidDatasetError as error:
            raise DataError(f"{source} cannot be used. {error.detail}") from error


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A file beside the target that takes its place at the end of the block, unless that raises."""
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
        partial = Path(folder) / target.name
        yield partial
        partial.replace(target)


def _chunks(url: str, timeout: float) -> Iterator[bytes]:
    """The body of a response.

    Raises:
        DataError: the server does not answer, or ends the body early.
    """
    try:
        with urlopen(url, timeout=timeout) as answer:  # noqa: S310  the URL is ours
            while chunk := answer.read(_CHUNK):
                yield chunk
            missing = answer.length or 0
    except HTTPError as error:
        error.close()
        raise DataError(
            f"{url} cannot be downloaded: the server answered {error.code}. {_REMEDY}"
        ) from error
    except (OSError, HTTPException) as error:
        raise DataError(
            f"{url} cannot be downloaded: {_cause(error)}. {_REMEDY}"
        ) from error
    if missing:
        raise DataError(
            f"{url} cannot be downloaded: it ended {missing:,} bytes early. {_REMEDY}"
        )


def _cause(error: OSError | HTTPException) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, OSError):
        return system_reason(cause)
    return str(cause) or type(cause).__name__
