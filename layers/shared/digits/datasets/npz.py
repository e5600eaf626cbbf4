"""Uploaded npz files, which anyone may have written: checked, and unpacked without pickle."""

import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from digits.arrays import Pixels
from digits.datasets.tfds import SPLITS, Split
from digits.digit import CLASSES, SIDE
from digits.errors import InvalidDatasetError
from digits.sizes import mebibytes

# The convert function has 2 GiB of disk, for an upload of at most 512 MiB and what the
# upload unpacks to.
MAX_UNPACKED_BYTES = 2**30
# Digits deflate to a fifth. Deflate reaches a thousandth, which only a zip bomb needs.
MAX_RATIO = 100
# The zip directory of four members takes 300 bytes. zipfile builds an object of 500
# bytes per 46 bytes of directory.
MAX_DIRECTORY_BYTES = 2**12
# np.save's headers take 118 bytes.
MAX_HEADER_BYTES = 512
# Images in memory at a time: 3 MB of pixels.
CHUNK = 4096

_MEMBERS = sorted(f"{kind}_{split}.npy" for kind in "xy" for split in SPLITS)
_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
# Sections 4.3.15 and 4.3.16 of PKWARE's APPNOTE.TXT.
_LOCATOR, _LOCATOR_BYTES = b"PK\6\7", 20
_END, _END_BYTES = b"PK\5\6", 22
_DIRECTORY_SIZE = slice(12, 16)
_NPY_VERSION = (1, 0)
# NumPy's stubs lack the types of these functions, and the limit on the header.
_npy: Any = np.lib.format
# Errors that zipfile and NumPy raised on damaged and on made-up files.
_BAD_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)
_BAD_HEADER = (ValueError, TypeError, SyntaxError, TokenError)


class Upload:
    """The checked content of an npz file, unpacked: a temporary file of bytes per array.

    Attributes:
        counts: examples per split.
    """

    def __init__(self, counts: dict[Split, int], files: dict[str, IO[bytes]]) -> None:
        self.counts = counts
        self._files = files

    def chunks(self, split: Split) -> Iterator[tuple[Pixels, Pixels]]:
        """Read a split's images and labels in order, for one reader at a time.

        Yields:
            Images, uint8 of shape (n, 28, 28), and labels, uint8 of shape (n,); n is at
            most `CHUNK`.
        """
        images, labels = self._files[_images(split)], self._files[_labels(split)]
        images.seek(0)
        labels.seek(0)
        while chunk := labels.read(CHUNK):
            pixels = np.frombuffer(images.read(len(chunk) * SIDE * SIDE), np.uint8)
            yield pixels.reshape(-1, SIDE, SIDE), np.frombuffer(chunk, np.uint8)


@dataclass(frozen=True)
class _Header:
    """What the header of a member in npy format declares."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran_order: bool

    @property
    def length(self) -> int:
        return self.shape[0]

    @property
    def item_bytes(self) -> int:
        """The size of one image or label."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def holds_images(self) -> bool:
        is_pixels = self.dtype == np.uint8 and self.shape[1:] == (SIDE, SIDE)
        return is_pixels and not self.is_fortran_order

    def holds_labels(self) -> bool:
        return self.dtype.kind in "iu" and len(self.shape) == 1

    def __str__(self) -> str:
        order = "Fortran" if self.is_fortran_order else "C"
        return f"{self.dtype} of shape {self.shape} in {order} order"


@contextmanager
def unpack_npz(file: IO[bytes]) -> Iterator[Upload]:
    """Check an npz file and unpack it to temporary files, in bounded memory.

    The temporary files have no names, so a killed process leaves no files.

    Raises:
        InvalidDatasetError: the file is not as `np.savez_compressed(path, x_train=…,
            y_train=…, x_test=…, y_test=…)` writes it, with images uint8 of shape (n,
            28, 28) and labels integers 0 to 9 of shape (n,).
    """
    with ExitStack() as stack:
        files: dict[str, IO[bytes]] = {}
        for name in _MEMBERS:
            files[name] = stack.enter_context(TemporaryFile())
        yield Upload(_unpack(file, files), files)


def _images(split: Split) -> str:
    return f"x_{split}.npy"


def _labels(split: Split) -> str:
    return f"y_{split}.npy"


def _unpack(file: IO[bytes], files: dict[str, IO[bytes]]) -> dict[Split, int]:
    """Unpack all members.

    Returns:
        Examples per split.
    """
    packed = file.seek(0, io.SEEK_END)
    lengths: dict[str, int] = {}
    with _refused(*_BAD_ZIP):
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_members(members, packed)
            for member in members:
                name = member.filename
                lengths[name] = _unpack_member(archive, member, files[name])
    counts: dict[Split, int] = {}
    for split in SPLITS:
        images, labels = lengths[_images(split)], lengths[_labels(split)]
        if images != labels:
            raise InvalidDatasetError(
                f"The npz has {images} images in x_{split} and {labels} labels "
                f"in y_{split}. Give one label per image."
            )
        counts[split] = labels
    return counts


@contextmanager
def _refused(*damage: type[Exception]) -> Iterator[None]:
    try:
        yield
    except damage as error:
        raise InvalidDatasetError(
            f"The npz cannot be read: {error}. Give a whole npz file."
        ) from error


def _check_directory(file: IO[bytes]) -> None:
    """Check the size of the zip directory, before zipfile reads the directory.

    The size is in the end record. NumPy writes no comment after the end record, and no
    zip64 locator before the end record, which would override the size.
    """
    file.seek(0, io.SEEK_END)
    file.seek(max(0, file.tell() - _LOCATOR_BYTES - _END_BYTES))
    locator, end = file.read(_LOCATOR_BYTES), file.read(_END_BYTES)
    if not end.startswith(_END):
        raise InvalidDatasetError(
            "The file is not an npz, or only a part of an npz. "
            "Give a file that numpy.savez_compressed wrote."
        )
    size = int.from_bytes(end[_DIRECTORY_SIZE], "little")
    if locator.startswith(_LOCATOR) or size > MAX_DIRECTORY_BYTES:
        raise InvalidDatasetError(
            f"The zip has far more than four members. Give only {', '.join(_MEMBERS)}."
        )


def _check_members(members: list[zipfile.ZipInfo], packed: int) -> None:
    names = sorted(member.filename for member in members)
    if names != _MEMBERS:
        raise InvalidDatasetError(
            f"The npz has the members {', '.join(names)}. "
            f"Give exactly {', '.join(_MEMBERS)}."
        )
    for member in members:
        is_encrypted = member.flag_bits & _ENCRYPTED
        if is_encrypted or member.compress_type not in _COMPRESSIONS:
            raise InvalidDatasetError(
                f"{member.filename} is encrypted, or in another compression. "
                "Give members that are stored or deflated."
            )
        if member.header_offset < 0:
            raise zipfile.BadZipFile("A member begins before the file")
    unpacked = sum(member.file_size for member in members)
    if unpacked > min(MAX_UNPACKED_BYTES, MAX_RATIO * packed):
        raise InvalidDatasetError(
            f"The npz has {mebibytes(packed)} and unpacks to {mebibytes(unpacked)}. "
            f"The limits are {mebibytes(MAX_UNPACKED_BYTES)}, and {MAX_RATIO} times "
            "the file's size. Give a smaller npz."
        )


def _unpack_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: IO[bytes]
) -> int:
    """Copy an array's values to a file, labels as uint8.

    Returns:
        The length of the array.
    """
    name = info.filename
    with archive.open(info) as member:
        header = _read_header(member, name)
        _check_header(header, name)
        _check_size(header, info, member.tell())
        for start in range(0, header.length, CHUNK):
            count = min(CHUNK, header.length - start)
            data = _read_exactly(member, count * header.item_bytes)
            target.write(
                data if _has_images(name) else _to_labels(data, header.dtype, name)
            )
    return header.length


def _has_images(name: str) -> bool:
    return name.startswith("x")


def _read_header(member: IO[bytes], name: str) -> _Header:
    with _refused(*_BAD_HEADER):
        if _npy.read_magic(member) != _NPY_VERSION:
            raise InvalidDatasetError(
                f"{name} is in another version of the npy format. "
                "Give version 1.0, which numpy.savez_compressed writes."
            )
        shape, is_fortran_order, dtype = _npy.read_array_header_1_0(
            member, max_header_size=MAX_HEADER_BYTES
        )
    return _Header(shape, dtype, is_fortran_order)


def _check_header(header: _Header, name: str) -> None:
    if _has_images(name):
        expected = f"uint8 of shape (n, {SIDE}, {SIDE})"
        is_expected = header.holds_images()
    else:
        expected = "integers of shape (n,)"
        is_expected = header.holds_labels()
    if not is_expected or header.length < 1:
        raise InvalidDatasetError(
            f"{name} holds {header}. Give {expected} in C order, with n at least 1."
        )


def _check_size(header: _Header, info: zipfile.ZipInfo, header_bytes: int) -> None:
    size = header_bytes + header.length * header.item_bytes
    if info.file_size != size:
        raise InvalidDatasetError(
            f"{info.filename} has {info.file_size} bytes, but {header} takes {size}. "
            "Give a whole npz file."
        )


def _read_exactly(member: IO[bytes], size: int) -> bytes:
    data = member.read(size)
    if len(data) != size:
        raise EOFError("A member ends before its declared size")
    return data


def _to_labels(data: bytes, dtype: np.dtype[Any], name: str) -> bytes:
    labels = np.frombuffer(data, dtype)
    lowest, highest = labels.min(), labels.max()
    if lowest < 0 or highest >= CLASSES:
        raise InvalidDatasetError(
            f"{name} holds labels from {lowest} to {highest}. "
            f"Give labels from 0 to {CLASSES - 1}."
        )
    return labels.astype(np.uint8).tobytes()
