"""The framing, by another implementation of it. tests/integration/test_tfds.py shows that TensorFlow reads the same."""

import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits.datasets import tfrecord


def crc32c(data: bytes) -> int:
    """Bit by bit, as RFC 3720, appendix B.4, defines it."""
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
        example, (crc,) = (
            records[12 : 12 + size],
            struct.unpack_from("<I", records, 12 + size),
        )
        assert size_crc == masked(crc32c(records[:8]))
        assert crc == masked(crc32c(example))
        yield example
        records = records[16 + size :]


def test_the_checksum_is_the_one_of_the_rfc() -> None:
    assert crc32c(b"123456789") == 0xE3069283


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
    found = list(examples(tfrecord.frame_examples(images, labels)))
    assert [example[-1] for example in found] == labels.tolist()
    assert b"".join(found).count(bytes([1]) * 784) == labels.tolist().count(1)
