"""TFRecords of `tf.train.Example`, without TensorFlow.

The feature `image` holds the raw pixels, and `label` the digit.

All records have one length, and differ only in pixels, label and checksum. So protobuf
serialises one example, and NumPy fills in copies of that example: about ten times
faster than serialising each example.
"""

from functools import cache
from typing import NamedTuple

import google_crc32c
import numpy as np
import numpy.typing as npt

from digits.arrays import Pixels
from digits.datasets import example_pb2
from digits.digit import SIDE

# What TFRecord adds to a checksum, so that a checksum of data with checksums stays good:
# https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/hash/crc32c.h
_MASK_DELTA = 0xA282EAD8
# An example comes after its length and the length's checksum, and before its checksum.
_HEADER_BYTES = 8 + 4
_FOOTER_BYTES = 4


class _Template(NamedTuple):
    """A serialised example, and where the pixels and the label are in the example."""

    example: Pixels
    pixels: slice
    label: np.intp


def frame_examples(images: Pixels, labels: Pixels) -> bytes:
    """Frame examples as TFRecords, to be appended to a file.

    Args:
        images: uint8 of shape (n, 28, 28).
        labels: digits 0 to 9, uint8 of shape (n,).

    Returns:
        n records of `record_bytes()` bytes each. The same arguments give the same bytes.
    """
    template = _template()
    size = template.example.size
    layout = np.dtype(
        [
            ("size", "<u8"),
            ("size_crc", "<u4"),
            ("example", np.uint8, (size,)),
            ("example_crc", "<u4"),
        ]
    )
    records = np.empty(len(labels), layout)
    records["size"] = size
    records["size_crc"] = _masked_crcs([size.to_bytes(8, "little")])
    examples = records["example"]
    examples[:] = template.example
    examples[:, template.pixels] = images.reshape(-1, SIDE * SIDE)
    examples[:, template.label] = labels
    records["example_crc"] = _masked_crcs([example.tobytes() for example in examples])
    return records.tobytes()


def example_bytes() -> int:
    """Size of a serialised example, in bytes."""
    return _template().example.size


def record_bytes() -> int:
    """Size of a record, in bytes: a serialised example with its framing."""
    return _HEADER_BYTES + example_bytes() + _FOOTER_BYTES


def is_sound(record: bytes) -> bool:
    """Whether a record's example matches its checksum."""
    example = record[_HEADER_BYTES:-_FOOTER_BYTES]
    (crc,) = _masked_crcs([example])
    return int(crc).to_bytes(_FOOTER_BYTES, "little") == record[-_FOOTER_BYTES:]


def _masked_crcs(data: list[bytes]) -> npt.NDArray[np.uint32]:
    crcs = np.array([google_crc32c.value(item) for item in data], np.uint32)
    rotated = crcs >> np.uint32(15) | crcs << np.uint32(17)
    return rotated + np.uint32(_MASK_DELTA)


@cache
def _template() -> _Template:
    """Find the bytes that vary, which are the bytes in which two examples differ."""
    black = bytes(SIDE * SIDE)
    white = b"\xff" * len(black)
    example = _serialise(black, 0)
    pixels = np.flatnonzero(example != _serialise(white, 0))
    (label,) = np.flatnonzero(example != _serialise(black, 1))
    return _Template(example, slice(pixels[0], pixels[-1] + 1), label)


def _serialise(pixels: bytes, label: int) -> Pixels:
    # protobuf builds the message classes at import, where mypy does not see them.
    example = example_pb2.Example()  # type: ignore[attr-defined]
    feature = example.features.feature
    feature["image"].bytes_list.value.append(pixels)
    feature["label"].int64_list.value.append(label)
    return np.frombuffer(example.SerializeToString(deterministic=True), np.uint8)
