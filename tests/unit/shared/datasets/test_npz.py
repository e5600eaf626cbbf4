import re
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digits.datasets import npz
from digits.datasets.tfds import SPLITS
from digits.errors import InvalidDatasetError

Arrays = dict[str, npt.NDArray[Any]]
MakeNpz = Callable[..., Path]

IMAGES = np.zeros((37, 28, 28), np.uint8)
LABELS = np.zeros(37, np.uint8)


@contextmanager
def unpack(path: Path) -> Iterator[npz.Upload]:
    with path.open("rb") as file, npz.unpack_npz(file) as upload:
        yield upload


def unpacked(path: Path) -> Arrays:
    with unpack(path) as upload:
        chunks = {split: list(upload.chunks(split)) for split in SPLITS}
    arrays: Arrays = {}
    for split in SPLITS:
        images, labels = zip(*chunks[split], strict=True)
        arrays[f"x_{split}"] = np.concatenate(images)
        arrays[f"y_{split}"] = np.concatenate(labels)
        assert len(arrays[f"y_{split}"]) == upload.counts[split]
    return arrays


def assert_same(actual: Arrays, expected: Arrays) -> None:
    assert actual.keys() == expected.keys()
    for name, array in actual.items():
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected[name])


@contextmanager
def members(path: Path) -> Iterator[dict[str, bytes]]:
    """The members' bytes. Changes in the block are written back at the end of the block."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    yield content
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def npy(array: npt.NDArray[Any]) -> bytes:
    target = BytesIO()
    np.save(target, array)
    return target.getvalue()


def test_unpacked_arrays_equal_the_npz(small_npz: Path, arrays: Arrays) -> None:
    assert_same(unpacked(small_npz), arrays)


def test_stored_members_are_accepted(
    small_npz: Path, arrays: Arrays, tmp_path: Path
) -> None:
    stored = tmp_path / "stored.npz"
    with np.load(small_npz) as archive:
        np.savez(stored, **archive)
    assert_same(unpacked(stored), arrays)


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i4", ">i4", "<i8", ">u8"])
def test_labels_of_any_integer_type_are_accepted(
    make_npz: MakeNpz, arrays: Arrays, dtype: str
) -> None:
    path = make_npz(
        y_train=arrays["y_train"].astype(dtype), y_test=arrays["y_test"].astype(dtype)
    )
    assert_same(unpacked(path), arrays)


def test_chunks_hold_every_example_once(make_npz: MakeNpz) -> None:
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (2 * npz.CHUNK + 1, 28, 28), np.uint8)
    labels = random.integers(0, 10, len(images), np.uint8)
    path = make_npz(x_train=images, y_train=labels)
    actual = unpacked(path)
    np.testing.assert_array_equal(actual["x_train"], images)
    np.testing.assert_array_equal(actual["y_train"], labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"x_train": np.array([None, {}] * 4, object)},
            "x_train.npy holds object of shape (8,)",
        ),
        (
            {"y_test": np.array([object()] * 11, object)},
            "y_test.npy holds object of shape (11,)",
        ),
        (
            {"x_train": np.zeros((37, 27, 27), np.uint8)},
            "holds uint8 of shape (37, 27, 27)",
        ),
        (
            {"x_train": np.zeros((37, 28, 28, 1), np.uint8)},
            "holds uint8 of shape (37, 28, 28, 1)",
        ),
        (
            {"x_train": np.zeros((37, 784), np.uint8)},
            "holds uint8 of shape (37, 784)",
        ),
        ({"x_train": np.uint8(1)}, "holds uint8 of shape ()"),
        ({"x_train": IMAGES / 255}, "holds float64 of shape (37, 28, 28)"),
        ({"x_train": IMAGES.astype(np.int8)}, "holds int8"),
        (
            {"x_train": np.asfortranarray(IMAGES)},
            "holds uint8 of shape (37, 28, 28) in Fortran order",
        ),
        (
            {"x_train": IMAGES[:0], "y_train": LABELS[:0]},
            "holds uint8 of shape (0, 28, 28) in C order. Give uint8 of shape (n, 28, 28)",
        ),
        (
            {"x_test": IMAGES},
            "37 images in x_test and 11 labels in y_test. Give one label per image.",
        ),
        (
            {"y_train": LABELS[:-1]},
            "37 images in x_train and 36 labels in y_train",
        ),
        (
            {"y_train": np.arange(37) % 12},
            "y_train.npy holds labels from 0 to 11. Give labels from 0 to 9.",
        ),
        ({"y_train": np.arange(37) % 10 - 1}, "holds labels from -1 to 8"),
        ({"y_train": LABELS.astype(np.float32)}, "holds float32 of shape (37,)"),
        ({"y_train": LABELS.astype(bool)}, "holds bool"),
        ({"y_train": LABELS.astype("m8[s]")}, "holds timedelta64"),
        ({"y_train": np.eye(10, dtype=np.uint8)}, "holds uint8 of shape (10, 10)"),
        ({"y_train": LABELS.astype(str)}, "holds <U3"),
        ({"y_train": np.zeros(37, [("a", "u1")])}, "Give integers of shape (n,)"),
        (
            {"x_test": None},
            "Give exactly x_test.npy, x_train.npy, y_test.npy, y_train.npy.",
        ),
        ({"x_valid": IMAGES}, "has the members x_test.npy, x_train.npy, x_valid.npy"),
    ],
)
def test_the_refusal_of_a_bad_array_names_the_fault(
    make_npz: MakeNpz, changes: dict[str, Any], message: str
) -> None:
    with (
        pytest.raises(InvalidDatasetError, match=re.escape(message)),
        unpack(make_npz(**changes)),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x_train.npy", b"", "cannot be read"),
        ("x_train.npy", b"text, not an array" * 99, "cannot be read"),
        ("x_train.npy", npy(IMAGES)[:-1], "takes 29136"),
        ("x_train.npy", npy(IMAGES) + b"more", "takes 29136"),
        ("x_train.npy", npy(IMAGES).replace(b"NUMPY\1", b"NUMPY\2"), "version 1.0"),
        ("y_train.npy", npy(LABELS).replace(b"'|u1'", b"'u1,01u1'"), "cannot be read"),
        ("y_train.npy", npy(LABELS).replace(b"(37,)", b"(-1,)"), "n at least 1"),
        ("y_train.npy", npy(LABELS).replace(b"(37,)", b"(9**9,)"), "cannot be read"),
        ("y_train.npy", npy(LABELS).replace(b"'descr'", b"'d', (("), "cannot be read"),
        ("y_train.npy", npy(LABELS).replace(b"'descr'", b"1      "), "cannot be read"),
        (
            "y_train.npy",
            b"\x93NUMPY\1\0" + struct.pack("<H", 9000) + b"-" * 9000,
            "cannot be read",
        ),
    ],
)
def test_a_bad_header_is_refused(
    small_npz: Path, tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(small_npz.read_bytes())
    with members(path) as content:
        content[name] = data
    with pytest.raises(InvalidDatasetError, match=message), unpack(path):
        pass


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_duplicate_member_is_refused(small_npz: Path, tmp_path: Path) -> None:
    path = tmp_path / "twice.npz"
    path.write_bytes(small_npz.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y_test.npy", npy(LABELS))
    with (
        pytest.raises(
            InvalidDatasetError, match=r"has the members .* y_test\.npy, y_test\.npy"
        ),
        unpack(path),
    ):
        pass


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused(
    arrays: Arrays, tmp_path: Path, compression: int
) -> None:
    path = tmp_path / "odd.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", npy(array))
    with pytest.raises(InvalidDatasetError, match="stored or deflated"), unpack(path):
        pass


def test_an_encrypted_member_is_refused(small_npz: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret.npz"
    path.write_bytes(small_npz.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"x"  # A new comment makes zipfile write the directory.
        archive.comment = b""
        archive.getinfo("x_test.npy").flag_bits |= 1
    with pytest.raises(InvalidDatasetError, match="stored or deflated"), unpack(path):
        pass


def test_a_damaged_image_is_refused(
    small_npz: Path, tmp_path: Path, arrays: Arrays
) -> None:
    path = tmp_path / "damaged.npz"
    with np.load(small_npz) as archive:
        np.savez(path, **archive)
    data = bytearray(path.read_bytes())
    data[data.index(arrays["x_train"].tobytes()) + 1000] ^= 1
    path.write_bytes(data)
    with (
        pytest.raises(InvalidDatasetError, match=r"Bad CRC-32 for file 'x_train\.npy'"),
        unpack(path),
    ):
        pass


@pytest.mark.parametrize(
    "content", [b"", b"not a zip", b"\x93NUMPY" * 99, b"PK\5\6" + bytes(18)]
)
def test_a_file_that_is_not_an_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with (
        pytest.raises(
            InvalidDatasetError, match=r"not an npz|cannot be read|four members"
        ),
        unpack(path),
    ):
        pass


def test_a_zip_bomb_is_refused_without_unpacking(make_npz: MakeNpz) -> None:
    bomb = make_npz(
        x_train=np.zeros((200_000, 28, 28), np.uint8),
        y_train=np.zeros(200_000, np.uint8),
    )
    tracemalloc.start()
    with pytest.raises(InvalidDatasetError, match="100 times the file"), unpack(bomb):
        pass
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_zip_with_too_many_members_is_refused_before_zipfile_lists_the_members(
    tmp_path: Path,
) -> None:
    path = tmp_path / "many.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(str(number), b"")
    tracemalloc.start()
    with pytest.raises(InvalidDatasetError, match="four members"), unpack(path):
        pass
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_member_before_the_start_of_the_file_is_refused(
    small_npz: Path, tmp_path: Path
) -> None:
    path = tmp_path / "negative.npz"
    end = bytearray(small_npz.read_bytes())
    # The end record says that the directory begins 9 bytes later than the directory
    # does, so zipfile moves all members 9 bytes forward.
    end[-6:-2] = (int.from_bytes(end[-6:-2], "little") + 9).to_bytes(4, "little")
    path.write_bytes(end)
    with pytest.raises(InvalidDatasetError, match="before the file"), unpack(path):
        pass


def test_a_member_shorter_than_its_declared_size_is_refused(
    small_npz: Path, tmp_path: Path
) -> None:
    """Header and directory agree; the compressed data ends early, with a good checksum."""
    path = tmp_path / "short.npz"
    with (
        zipfile.ZipFile(small_npz) as archive,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in archive.namelist():
            data = archive.read(name)
            target.writestr(name, data[:-1] if name == "x_test.npy" else data)
        target.getinfo("x_test.npy").file_size += 1
    with (
        pytest.raises(InvalidDatasetError, match="ends before its declared size"),
        unpack(path),
    ):
        pass


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_random_damage_is_refused_or_harmless(
    small_npz: Path, arrays: Arrays, tmp_path: Path, data: st.DataObject
) -> None:
    whole = bytearray(small_npz.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(-500, 500))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.npz"
    path.write_bytes(whole[: data.draw(st.integers(len(whole) - 100, len(whole)))])
    with suppress(InvalidDatasetError):
        assert_same(unpacked(path), arrays)


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    header=st.text(
        alphabet="{}()[]',:-+*\"\\# \nabdehinoprstuy_0123456789|<fV", max_size=200
    )
)
@pytest.mark.filterwarnings(
    "ignore:Reading `.npy`:UserWarning", "ignore:invalid:SyntaxWarning"
)
def test_a_random_header_is_refused(
    small_npz: Path, tmp_path: Path, header: str
) -> None:
    path = tmp_path / "header.npz"
    path.write_bytes(small_npz.read_bytes())
    with members(path) as content:
        text = header.encode() + b"\n"
        content["y_test.npy"] = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text
    with pytest.raises(InvalidDatasetError), unpack(path):
        pass
