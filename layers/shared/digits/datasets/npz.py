"""Uploads: npz files, which anyone may have written. Nothing in them is unpickled, or believed unchecked."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from digits.arrays import Pixels
from digits.datasets.tfds import SPLITS, Split
from digits.digit import CLASSES, SIDE
from digits.errors import InvalidDatasetError
from digits.sizes import mebibytes

# The convert function has 2 GiB of disk, for at most 512 MiB of an upload and what it unpacks to.
MAX_UNPACKED_BYTES = 2**30
# Digits deflate to a fifth. A thousandth is possible, and is what a bomb uses.
MAX_RATIO = 100
# The table of four members takes 300 bytes. zipfile builds an object of 500 bytes for
# every 46 in it.
MAX_DIRECTORY_BYTES = 2**12
# np.save's headers take 118 bytes.
MAX_HEADER_BYTES = 512
# Images in memory at a time: 3 MB of pixels.
CHUNK = 4096

_MEMBERS = sorted(f"{kind}_{split}.npy" for kind in "xy" for split in SPLITS)
_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
# NumPy's stubs have neither these functions' types nor the limit on the header.
_npy: Any = np.lib.format
# What zipfile and NumPy were seen to raise on damaged and on made-up files.
_BAD_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)
_BAD_HEADER = (ValueError, TypeError, SyntaxError, TokenError)


class Upload:
    """The checked content of an npz file, unpacked: a temporary file of bytes for each array.

    Attributes:
        counts: examples by split.
    """

    def __init__(self, counts: dict[Split, int], files: dict[str, IO[bytes]]) -> None:
        self.counts = counts
        self._files = files

    def chunks(self, split: Split) -> Iterator[tuple[Pixels, Pixels]]:
        """Images, uint8 of shape (n, 28, 28), and labels, uint8 of shape (n,), in order; n is at most `CHUNK`.

        For one reader at a time.
        """
        images, labels = self._files[f"x_{split}.npy"], self._files[f"y_{split}.npy"]
        images.seek(0)
        labels.seek(0)
        while chunk := labels.read(CHUNK):
            pixels = np.frombuffer(images.read(len(chunk) * SIDE * SIDE), np.uint8)
            yield pixels.reshape(-1, SIDE, SIDE), np.frombuffer(chunk, np.uint8)


@contextmanager
def unpack(file: IO[bytes]) -> Iterator[Upload]:
    """Check an npz file and unpack it to temporary files, in bounded memory.

    The files have no names, so that nothing is left of them if this process is killed.

    Raises:
        InvalidDatasetError: it is not as `np.savez_compressed(path, x_train=…,
            y_train=…, x_test=…, y_test=…)` writes it, with images uint8 of shape (n,
            28, 28) and labels integers 0 to 9 of shape (n,).
    """
    with ExitStack() as stack:
        files: dict[str, IO[bytes]] = {
            name: stack.enter_context(TemporaryFile()) for name in _MEMBERS
        }
        yield Upload(_unpack(file, files), files)


def _unpack(file: IO[bytes], files: dict[str, IO[bytes]]) -> dict[Split, int]:
    size = file.seek(0, io.SEEK_END)
    with _refused(*_BAD_ZIP):
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_members(members, size)
            lengths = {
                member.filename: _unpack_member(archive, member, files[member.filename])
                for member in members
            }
    for split in SPLITS:
        images, labels = lengths[f"x_{split}.npy"], lengths[f"y_{split}.npy"]
        if images != labels:
            raise InvalidDatasetError(
                f"Expected a label for each image. Received {images} images in x_{split}, {labels} labels in y_{split}."
            )
    return {split: lengths[f"y_{split}.npy"] for split in SPLITS}


@contextmanager
def _refused(*damage: type[Exception]) -> Iterator[None]:
    try:
        yield
    except damage as error:
        raise InvalidDatasetError(
            f"Expected a whole npz file. Received one that cannot be read: {error}."
        ) from error


def _check_directory(file: IO[bytes]) -> None:
    """Look at the zip's end record before zipfile reads the table of members that it points to.

    The record's layout is in section 4.3.16 of PKWARE's APPNOTE.TXT. NumPy writes no
    comment behind it, nor the zip64 locator before it, which would override it.
    """
    file.seek(0, io.SEEK_END)
    file.seek(max(0, file.tell() - 42))
    locator, end = file.read(20), file.read(22)
    if end[:4] != b"PK\5\6":
        raise InvalidDatasetError(
            "Expected an npz file, which is a zip. Received something else, or a part of one."
        )
    size = int.from_bytes(end[12:16], "little")
    if locator[:4] == b"PK\6\7" or size > MAX_DIRECTORY_BYTES:
        raise InvalidDatasetError(
            "Expected an npz file of four members. Received a zip with far more."
        )


def _check_members(members: list[zipfile.ZipInfo], packed: int) -> None:
    names = sorted(member.filename for member in members)
    if names != _MEMBERS:
        raise InvalidDatasetError(
            f"Expected the members {', '.join(_MEMBERS)}. Received {', '.join(names)}."
        )
    if any(
        member.compress_type not in _COMPRESSIONS or member.flag_bits & _ENCRYPTED
        for member in members
    ):
        raise InvalidDatasetError(
            "Expected members that are stored or deflated. Received another compression."
        )
    if any(member.header_offset < 0 for member in members):
        raise zipfile.BadZipFile("A member begins before the file")
    unpacked = sum(member.file_size for member in members)
    if unpacked > min(MAX_UNPACKED_BYTES, MAX_RATIO * packed):
        raise InvalidDatasetError(
            f"The npz has {mebibytes(packed)} and unpacks to {mebibytes(unpacked)}. The limits are "
            f"{mebibytes(MAX_UNPACKED_BYTES)}, and {MAX_RATIO} times the file's size. Upload a smaller one."
        )


def _unpack_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: IO[bytes]
) -> int:
    """Copy an array's values to a file, labels as uint8.

    Returns:
        Its length.
    """
    with archive.open(info) as member:
        length, dtype = _read_header(member, info)
        item_bytes = (info.file_size - member.tell()) // length
        for start in range(0, length, CHUNK):
            data = _read_exactly(member, min(CHUNK, length - start) * item_bytes)
            target.write(
                data
                if info.filename.startswith("x")
                else _to_labels(data, dtype, info.filename)
            )
    return length


def _read_header(member: IO[bytes], info: zipfile.ZipInfo) -> tuple[int, np.dtype[Any]]:
    """Length and dtype of the array that follows."""
    with _refused(*_BAD_HEADER):
        if _npy.read_magic(member) != (1, 0):
            raise InvalidDatasetError(
                f"Expected {info.filename} in version 1.0 of the npy format. Received another."
            )
        shape, fortran_order, dtype = _npy.read_array_header_1_0(
            member, max_header_size=MAX_HEADER_BYTES
        )
    if info.filename.startswith("x"):
        expected = f"uint8 of shape (n, {SIDE}, {SIDE})"
        good = dtype == np.uint8 and shape[1:] == (SIDE, SIDE) and not fortran_order
    else:
        expected = "integers of shape (n,)"
        good = dtype.kind in "iu" and len(shape) == 1
    received = (
        f"{dtype} of shape {shape} in {'Fortran' if fortran_order else 'C'} order"
    )
    if not good or shape[0] < 1:
        raise InvalidDatasetError(
            f"Expected {info.filename} to hold {expected} in C order, n at least 1. Received {received}."
        )
    size = member.tell() + shape[0] * dtype.itemsize * (
        SIDE * SIDE if len(shape) > 1 else 1
    )
    if info.file_size != size:
        raise InvalidDatasetError(
            f"Expected {size} bytes in {info.filename}: {received}. Received {info.file_size}."
        )
    return shape[0], dtype


def _read_exactly(member: IO[bytes], size: int) -> bytes:
    data = member.read(size)
    if len(data) != size:
        raise EOFError("A member ends before its declared size")
    return data


def _to_labels(data: bytes, dtype: np.dtype[Any], name: str) -> bytes:
    labels = np.frombuffer(data, dtype)
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise InvalidDatasetError(
            f"Expected labels from 0 to {CLASSES - 1} in {name}. Received {labels.min()} to {labels.max()}."
        )
    return labels.astype(np.uint8).tobytes()
