"""A killed conversion is invisible to readers, and the next conversion completes the dataset."""

import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

from digits.datasets import convert
from digits.datasets.listing import list_datasets
from digits.store import Store

SCRIPT = """
import sys
from pathlib import Path
from digits.datasets import convert
from digits.store import Store
convert(Store(sys.argv[1]), "mnist", Path(sys.argv[2]), on_progress=lambda *_: print(flush=True))
"""


def content(store: Store) -> dict[str, bytes]:
    entries = store.entries("datasets/mnist/1.0.0")
    return {entry.key: store.read(entry.key) for entry in entries}


def kill_after(chunks: int, delay: float, store: Store, npz: Path) -> None:
    """Start a conversion, and kill the process `delay` seconds after `chunks` chunks."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, store.url, str(npz)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(chunks):
            process.stdout.readline()
        time.sleep(delay)
        process.kill()


def test_a_conversion_killed_again_and_again_completes(
    digits_npz: Path, tmp_path: Path
) -> None:
    untouched = Store((tmp_path / "untouched").as_uri())
    made = convert(untouched, "mnist", digits_npz)
    store = Store((tmp_path / "store").as_uri())
    for chunks, delay in product(range(4), (0, 0.002, 0.005)):
        kill_after(chunks, delay, store, digits_npz)
        for dataset in list_datasets(store).datasets:
            assert dataset["versions"] == [] or content(store) == content(untouched)
    assert convert(store, "mnist", digits_npz) == made
    assert content(store) == content(untouched)
