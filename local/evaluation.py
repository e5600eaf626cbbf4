"""`digits evaluate`: how good a model is."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from digits import datasets, models, releases
from digits.errors import DigitsError, UnknownError
from digits.images import read_digit
from digits.models import MANIFEST_FILE, MODEL_FILE, SCORE, Manifest
from digits.store import Store
from local.checkout import BUNDLED
from training.evaluate import Answers, evaluate, litert_answers
from training.input import Examples, fetch
from training.metrics import expected_calibration_error, wilson_interval


def describe(store: Store, version: str | None, negatives: Sequence[Path]) -> Iterator[str]:
    """What is to be told of a model, line by line.

    Args:
        store: has the dataset that the model was trained on, and the model, unless it is the bundled one.
        version: the model, or `bundled`; without one, the live one.
        negatives: folders of PNG files, none of them a digit.

    Raises:
        UnknownError: there is no such model, or not its dataset.
    """
    manifest, model = _bundled() if version == "bundled" else _stored(store, version)
    dataset = datasets.latest(store, manifest.dataset)
    test = fetch(store, dataset, "test")
    yield f"{manifest.version} on {dataset.name} {dataset.version}, {len(test):,} test digits"
    answers, threshold = litert_answers(model, test.images), manifest.thresholds[SCORE]
    yield from _reading(answers, test)
    yield f"taken for digits {np.mean(answers.scores >= threshold):.4f}"
    for folder in negatives:
        files = sorted(folder.glob("*.png"))
        yield f"{folder.name}: {_rejected(files, model, threshold):,} of {len(files):,} rejected"


def _reading(answers: Answers, test: Examples) -> Iterator[str]:
    found = evaluate(answers.logits, test.labels)
    right = answers.right(test.labels)
    low, high = wilson_interval(int(right.sum()), len(test))
    yield f"accuracy {found.accuracy:.4f} (95 % confidence interval {low:.4f} to {high:.4f}), loss {found.loss:.4f}"
    for digit, accuracy in found.class_accuracies.items():
        yield f"  {digit}: {accuracy:.4f}"
    error = expected_calibration_error(answers.confidences, right)
    yield f"calibration error {error:.4f}"


def _rejected(files: Sequence[Path], model: bytes, threshold: float) -> int:
    seen = []
    for path in files:
        try:
            seen.append(read_digit(path.read_bytes()))
        except DigitsError:  # The service refuses it before any model sees it.
            continue
    passed = (litert_answers(model, np.stack(seen)).scores >= threshold).sum() if seen else 0
    return len(files) - int(passed)


def _bundled() -> tuple[Manifest, bytes]:
    manifest = models.parse_manifest((BUNDLED / MANIFEST_FILE).read_bytes())
    return manifest, manifest.check(MODEL_FILE, (BUNDLED / MODEL_FILE).read_bytes())


def _stored(store: Store, version: str | None) -> tuple[Manifest, bytes]:
    live = releases.live(store)
    if version is None and live is None:
        raise UnknownError("No model has been released. Train one: digits train. Or: digits evaluate bundled")
    manifest = models.load_manifest(store, version or (live and live.version) or "")
    return manifest, models.load_file(store, manifest, MODEL_FILE)
