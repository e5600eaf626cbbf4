"""How fast an npz becomes TFRecords, and in how much memory, beside TensorFlow."""

import os
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tensorflow as tf

from bench.measure import Figures, timings
from bench.setting import Setting
from digits.arrays import Pixels
from digits.datasets import convert, tfds
from digits.store import Store
from local.checkout import npz

# How often the larger datasets repeat MNIST.
COPIES = (1, 4, 16)
# Prints the seconds and the peak memory in megabytes. VmHWM starts anew with the program;
# getrusage would count the parent process, too.
CONVERT_ALONE = r"""
import re, sys, time
from pathlib import Path
from digits.datasets import convert
from digits.store import Store
started = time.perf_counter()
convert(Store(sys.argv[1]), "mnist", Path(sys.argv[2]))
print(time.perf_counter() - started)
peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
print(int(peak[1]) * 1.024e-3)
"""


def with_digits(source: Path, folder: Path) -> None:
    """Convert an npz with our code."""
    convert(Store(folder.as_uri()), "mnist", source)


def with_tensorflow(source: Path, folder: Path) -> None:
    """Write the same examples into the same files, as TensorFlow's tutorial does."""
    with np.load(source) as arrays:
        for split in tfds.SPLITS:
            images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
            examples = zip(images, labels, strict=True)
            lengths = tfds.shard_lengths(len(labels))
            names = tfds.shard_names("mnist", split, len(lengths))
            for name, length in zip(names, lengths, strict=True):
                with tf.io.TFRecordWriter(str(folder / name)) as writer:
                    for _ in range(length):
                        writer.write(serialise(*next(examples)))


def serialise(image: Pixels, label: int) -> bytes:
    """One example, by TensorFlow."""
    pixels = tf.train.BytesList(value=[image.tobytes()])
    labels = tf.train.Int64List(value=[label])
    feature = {
        "image": tf.train.Feature(bytes_list=pixels),
        "label": tf.train.Feature(int64_list=labels),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    serialised: bytes = example.SerializeToString()
    return serialised


def measure(__: Setting, rounds: int) -> Figures:
    """Convert MNIST by both in turns, then data of each size in a process of its own."""
    path = npz()
    images = _count(path)
    converters = {"digits": with_digits, "tensorflow": with_tensorflow}
    figures: Figures = defaultdict(list)
    for _ in range(rounds):
        for name, convert_with in converters.items():
            seconds = _seconds(convert_with, path)
            figures[f"convert.{name}.images/s"].append(images / seconds)
    with TemporaryDirectory() as folder:
        for copies in COPIES:
            repeated = _repeat(path, copies, Path(folder, "repeated.npz"))
            seconds, megabytes = _convert_alone(repeated)
            rate = copies * images / seconds
            figures[f"convert-{copies}.digits.images/s"].append(rate)
            figures[f"convert-{copies}.digits.MB"].append(megabytes)
    return figures


def _count(source: Path) -> int:
    """How many images an npz holds."""
    with np.load(source) as arrays:
        return len(arrays["y_train"]) + len(arrays["y_test"])


def _seconds(convert_with: Callable[[Path, Path], None], source: Path) -> float:
    """Seconds of one conversion, into an empty folder."""
    with TemporaryDirectory() as folder:
        (seconds,) = timings(lambda: convert_with(source, Path(folder)), 1)
        return seconds


def _convert_alone(source: Path) -> tuple[float, float]:
    """Seconds and peak memory in megabytes of a process that converts."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with TemporaryDirectory() as folder:
        store_url = Path(folder).as_uri()
        command = [sys.executable, "-c", CONVERT_ALONE, store_url, str(source)]
        run = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, check=True
        )
    seconds, megabytes = map(float, run.stdout.split())
    return seconds, megabytes


def _repeat(source: Path, copies: int, target: Path) -> Path:
    """Write an npz that holds each example several times."""
    with (
        np.load(source) as arrays,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.save(member, np.concatenate([array] * copies))
    return target
