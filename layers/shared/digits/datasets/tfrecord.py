"""TFRecords of `tf.train.Example`, without TensorFlow: `image` holds the raw pixels, `label` the digit.

All records have one length and differ in pixels, label and checksum only. So one
example is serialised by protobuf, and the records are copies of it that NumPy fills in:
about ten times faster than serialising each.
"""

from functools import cache
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
import numpy.typing as npt
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from digits.arrays import Pixels
from digits.digit import SIDE

# How TFRecord masks its checksums, so that a checksum of data that holds checksums is still a good one:
# https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/hash/crc32c.h
_MASK_DELTA = np.uint32(0xA282EAD8)


class _Template(NamedTuple):
    """A serialised example, and where in it the pixels and the label are."""

    example: Pixels
    pixels: slice
    label: np.intp


def frame(images: Pixels, labels: Pixels) -> bytes:
    """Examples as TFRecords, ready to be appended to a file.

    Args:
        images: pixels, of shape (n, 28, 28).
        labels: digits 0 to 9, of shape (n,).

    Returns:
        n records of `8 + 4 + example_bytes() + 4` bytes each. The same arguments give
        the same bytes.
    """
    template = _template()
    size = template.example.size
    records = np.empty(
        len(labels),
        [
            ("size", "<u8"),
            ("size_crc", "<u4"),
            ("example", np.uint8, (size,)),
            ("example_crc", "<u4"),
        ],
    )
    records["size"] = size
    records["size_crc"] = _masked_crcs([size.to_bytes(8, "little")])
    examples = records["example"]
    examples[:] = template.example
    examples[:, template.pixels] = images.reshape(-1, SIDE * SIDE)
    examples[:, template.label] = labels
    records["example_crc"] = _masked_crcs([example.tobytes() for example in examples])
    return records.tobytes()


def example_bytes() -> int:
    """Size of one serialised example."""
    return _template().example.size


def _masked_crcs(data: list[bytes]) -> npt.NDArray[np.uint32]:
    crcs = np.array([google_crc32c.value(item) for item in data], np.uint32)
    return (crcs >> np.uint32(15) | crcs << np.uint32(17)) + _MASK_DELTA


@cache
def _template() -> _Template:
    """Find the bytes that vary: those that differ between two examples."""
    blank = bytes(SIDE * SIDE)
    example = _serialise(blank, 0)
    pixels = np.flatnonzero(example != _serialise(b"\xff" * len(blank), 0))
    (label,) = np.flatnonzero(example != _serialise(blank, 1))
    return _Template(example, slice(pixels[0], pixels[-1] + 1), label)


def _serialise(pixels: bytes, label: int) -> Pixels:
    example = _example_class()()
    example.features.feature["image"].bytes_list.value.append(pixels)
    example.features.feature["label"].int64_list.value.append(label)
    return np.frombuffer(example.SerializeToString(deterministic=True), np.uint8)


def _example_class() -> Any:
    """`tf.train.Example`, as far as it is used here: tensorflow/core/example/example.proto.

    In a pool of its own: the default one may hold TensorFlow's, and takes no second of
        the same name.
    """
    entry = _message(
        "FeatureEntry", _field("key", 1, "string"), _field("value", 2, "Feature")
    )
    messages = [
        _message("BytesList", _field("value", 1, "bytes", repeated=True)),
        _message("Int64List", _field("value", 1, "int64", repeated=True)),
        _message(
            "Feature",
            _field("bytes_list", 1, "BytesList"),
            _field("int64_list", 3, "Int64List"),
        ),
        _message(
            "Features", _field("feature", 1, "Features.FeatureEntry", repeated=True)
        )
        | {"nested_type": [entry | {"options": {"map_entry": True}}]},
        _message("Example", _field("features", 1, "Features")),
    ]
    pool = DescriptorPool()
    pool.Add(
        FileDescriptorProto(
            name="example.proto",
            package="tensorflow",
            syntax="proto3",
            message_type=messages,
        )
    )
    return GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def _message(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "field": fields}


def _field(
    name: str, number: int, kind: str, *, repeated: bool = False
) -> dict[str, Any]:
    scalar = {
        "bytes": "TYPE_BYTES",
        "int64": "TYPE_INT64",
        "string": "TYPE_STRING",
    }.get(kind)
    kind_fields = (
        {"type": scalar}
        if scalar
        else {"type": "TYPE_MESSAGE", "type_name": f".tensorflow.{kind}"}
    )
    label = "LABEL_REPEATED" if repeated else "LABEL_OPTIONAL"
    return {"name": name, "number": number, "label": label, **kind_fields}
