"""How fast an npz becomes TFRecords, and in how much memory: `digits.datasets.convert` beside TensorFlow.

Run it as `python -m bench.convert data/mnist.npz`, with the full MNIST. It fails when the goals are missed.
"""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import typer
from rich import print as write
from rich.table import Table

from digits import tfds
from digits.datasets import convert
from digits.store import Store

MIN_RATIO = 2
MAX_MEGABYTES = 400
COPIES = (1, 4, 16)

# VmHWM begins anew with the program; getrusage would give the peak of the process that started it, if that was higher.
MEASURE_MEMORY = """
import re, sys
from pathlib import Path
from digits.datasets import convert
from digits.store import Store
convert(Store(sys.argv[1]), "mnist", Path(sys.argv[2]))
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024)
"""


def with_digits(npz: Path, folder: Path) -> None:
    """What is measured."""
    convert(Store(folder.as_uri()), "mnist", npz)


def with_tensorflow(npz: Path, folder: Path) -> None:
    """What it is measured against: the same examples in the same files, as TensorFlow's tutorial writes them."""
    with np.load(npz) as arrays:
        for split in tfds.SPLITS:
            pairs = zip(arrays[f"x_{split}"], arrays[f"y_{split}"], strict=True)
            lengths = tfds.shard_lengths(len(arrays[f"y_{split}"]))
            for name, length in zip(tfds.shard_names("mnist", split, len(lengths)), lengths, strict=True):
                with tf.io.TFRecordWriter(str(folder / name)) as writer:
                    for _ in range(length):
                        writer.write(serialise(*next(pairs)))


def serialise(image: npt.NDArray[np.uint8], label: int) -> bytes:
    """One example, by TensorFlow."""
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    serialised: bytes = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    return serialised


def rate(convert_with: Callable[[Path, Path], None], npz: Path, images: int) -> float:
    """Images a second of one conversion, into an empty folder."""
    with TemporaryDirectory() as folder:
        started = perf_counter()
        convert_with(npz, Path(folder))
        return images / (perf_counter() - started)


def peak_megabytes(npz: Path) -> float:
    """The largest resident size of a process that converts."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-c", MEASURE_MEMORY, Path(folder).as_uri(), str(npz)]
        return float(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def repeat(npz: Path, copies: int, target: Path) -> Path:
    """An npz that holds everything so many times."""
    with np.load(npz) as arrays, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.save(member, np.concatenate([array] * copies))
    return target


def main(
    npz: Annotated[Path, typer.Argument(exists=True, help="The full MNIST")],
    rounds: Annotated[int, typer.Option(min=1, help="How often each converts, in turns")] = 7,
) -> None:
    """Measure speed and memory of a conversion."""
    with np.load(npz) as arrays:
        images = len(arrays["y_train"]) + len(arrays["y_test"])
    rates: dict[str, list[float]] = {"digits": [], "tensorflow": []}
    for _ in range(rounds):
        rates["digits"].append(rate(with_digits, npz, images))
        rates["tensorflow"].append(rate(with_tensorflow, npz, images))
    ratio = median(rates["digits"]) / median(rates["tensorflow"])

    table = Table(
        "images/s", "min", "median", "max", title=f"{images:,} images, {rounds} rounds: {ratio:.1f} times as fast"
    )
    for name, measured in rates.items():
        table.add_row(name, *(f"{figure(measured):,.0f}" for figure in (min, median, max)))
    write(table)

    with TemporaryDirectory() as folder:
        peaks = {n: peak_megabytes(repeat(npz, n, Path(folder, "repeated.npz"))) for n in COPIES}
    for copies, peak in peaks.items():
        write(f"Peak memory with {copies} times the data: {peak:.0f} MB")
    if ratio < MIN_RATIO or max(peaks.values()) > MAX_MEGABYTES:
        raise SystemExit(f"Expected {MIN_RATIO} times TensorFlow's speed, and {MAX_MEGABYTES} MB at most.")


if __name__ == "__main__":
    typer.run(main)
