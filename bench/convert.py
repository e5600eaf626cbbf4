"""How fast an npz becomes TFRecords, and in how much memory: `digits.datasets.convert` beside TensorFlow."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tensorflow as tf

from bench.measure import Figures, timed
from bench.setting import Setting
from digits.arrays import Pixels
from digits.datasets import convert, tfds
from digits.store import Store
from local.checkout import npz

# Of MNIST.
COPIES = (1, 4, 16)

# VmHWM begins anew with the program; getrusage would give the peak of the process that
# started it, if that was higher.
MEASURE = """
import re, sys, time
from pathlib import Path
from digits.datasets import convert
from digits.store import Store
started = time.perf_counter()
convert(Store(sys.argv[1]), "mnist", Path(sys.argv[2]))
print(time.perf_counter() - started)
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1.024e-3)
"""


def with_digits(source: Path, folder: Path) -> None:
    """What is measured."""
    convert(Store(folder.as_uri()), "mnist", source)


def with_tensorflow(source: Path, folder: Path) -> None:
    """What it is measured against: the same examples in the same files, as TensorFlow's tutorial writes them."""
    with np.load(source) as arrays:
        for split in tfds.SPLITS:
            pairs = zip(arrays[f"x_{split}"], arrays[f"y_{split}"], strict=True)
            lengths = tfds.shard_lengths(len(arrays[f"y_{split}"]))
            for name, length in zip(
                tfds.shard_names("mnist", split, len(lengths)), lengths, strict=True
            ):
                with tf.io.TFRecordWriter(str(folder / name)) as writer:
                    for _ in range(length):
                        writer.write(serialise(*next(pairs)))


def serialise(image: Pixels, label: int) -> bytes:
    """One example, by TensorFlow."""
    feature = {
        "image": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[image.tobytes()])
        ),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    serialised: bytes = tf.train.Example(
        features=tf.train.Features(feature=feature)
    ).SerializeToString()
    return serialised


def rate(
    convert_with: Callable[[Path, Path], None], source: Path, images: int
) -> float:
    """Images a second of one conversion, into an empty folder."""
    with TemporaryDirectory() as folder:
        return images / timed(lambda: convert_with(source, Path(folder)))


def alone(source: Path) -> tuple[float, float]:
    """The seconds that a process takes to convert, and its largest resident size in megabytes."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-c", MEASURE, Path(folder).as_uri(), str(source)]
        seconds, megabytes = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, check=True
        ).stdout.split()
        return float(seconds), float(megabytes)


def repeat(source: Path, copies: int, target: Path) -> Path:
    """An npz that holds everything so many times."""
    with (
        np.load(source) as arrays,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.save(member, np.concatenate([array] * copies))
    return target


def measure(__: Setting, rounds: int) -> Figures:
    """Both in turns; then a process for each size of the data."""
    path = npz()
    with np.load(path) as arrays:
        images = len(arrays["y_train"]) + len(arrays["y_test"])
    figures: Figures = {}
    for _ in range(rounds):
        for name, convert_with in (
            ("digits", with_digits),
            ("tensorflow", with_tensorflow),
        ):
            figures.setdefault(f"convert.{name}.images/s", []).append(
                rate(convert_with, path, images)
            )
    with TemporaryDirectory() as folder:
        for copies in COPIES:
            seconds, megabytes = alone(
                repeat(path, copies, Path(folder, "repeated.npz"))
            )
            figures[f"convert-{copies}.digits.images/s"] = [copies * images / seconds]
            figures[f"convert-{copies}.digits.MB"] = [megabytes]
    return figures
