"""TFRecords, compared with a second implementation of the framing and the messages.

tests/integration/test_tfds.py shows that TensorFlow reads the records.
"""

import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits.datasets import tfrecord


def crc32c(data: bytes) -> int:
    """The checksum, computed bit by bit as in RFC 3720, appendix B.4."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def examples(records: bytes) -> Iterator[bytes]:
    while records:
        size, size_crc = struct.unpack_from("<QI", records)
        example = records[12 : 12 + size]
        (crc,) = struct.unpack_from("<I", records, 12 + size)
        assert size_crc == masked(crc32c(records[:8]))
        assert crc == masked(crc32c(example))
        yield example
        records = records[16 + size :]


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of protobuf: https://protobuf.dev/programming-guides/encoding/."""
    length = len(content)
    size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return bytes([number << 3 | 2]) + size + content


def entry(key: bytes, feature: bytes) -> bytes:
    """An entry of the map in `tf.train.Features`."""
    return field(1, field(1, key) + field(2, feature))


def test_the_second_implementation_of_crc32c_is_right() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_an_example_is_a_tf_train_example() -> None:
    """The field numbers are those of TensorFlow's example.proto and feature.proto."""
    images = np.arange(784).astype(np.uint8).reshape(1, 28, 28)
    records = tfrecord.frame_examples(images, np.array([7], np.uint8))
    (example,) = examples(records)
    image = field(1, field(1, images.tobytes()))
    label = field(3, field(1, bytes([7])))
    assert example == field(1, entry(b"image", image) + entry(b"label", label))


def test_a_record_is_sound_until_a_bit_flips() -> None:
    images = np.zeros((1, 28, 28), np.uint8)
    record = bytearray(tfrecord.frame_examples(images, np.zeros(1, np.uint8)))
    assert len(record) == tfrecord.record_bytes()
    assert tfrecord.is_sound(bytes(record))
    record[100] ^= 1
    assert not tfrecord.is_sound(bytes(record))


@given(pixels=st.binary(min_size=784, max_size=784), label=st.integers(0, 9))
def test_a_record_holds_the_pixels_and_the_label(pixels: bytes, label: int) -> None:
    image = np.frombuffer(pixels, np.uint8).reshape(1, 28, 28)
    (example,) = examples(tfrecord.frame_examples(image, np.array([label], np.uint8)))
    assert len(example) == tfrecord.example_bytes()
    assert pixels in example
    assert example.endswith(bytes([label]))


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_records_follow_one_another_in_order(count: int) -> None:
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = np.repeat(labels, 784).reshape(count, 28, 28)
    records = list(examples(tfrecord.frame_examples(images, labels)))
    assert [example[-1] for example in records] == labels.tolist()
    assert b"".join(records).count(bytes([1]) * 784) == labels.tolist().count(1)
