"""The research lab's command line: `main.py --train`, `main.py --predict example/8.png`."""

import argparse
import logging
import sys
from pathlib import Path

import numpy as np

from digits import datasets
from digits.arrays import Pixels
from digits.errors import DigitsError
from digits.imaging.normalise import read_digit
from digits.parameters import Parameters
from local.aws_batch.container import require_tensorflow
from local.checkout import BUNDLED_FOLDER, npz, open_store
from local.cli.quiet import without_notices
from local.wording import explain_error

ARCHITECTURE = "lab"
WEIGHTS = Path(__file__).with_name("weights.h5")


def main() -> None:
    """Train or predict, as the options say."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--train", action="store_true", help="train on TFRecords and write weights.h5"
    )
    action.add_argument(
        "--predict", metavar="PATH", type=Path, help="read the digit on a PNG"
    )
    arguments = parser.parse_args()
    try:
        if arguments.train:
            train()
        else:
            print(f"Predicted: {predict(read_digit(arguments.predict.read_bytes()))}")
    except (DigitsError, OSError) as error:
        sys.exit(explain_error(error))


def train() -> None:
    """Convert the data present, train on its TFRecords and write weights.h5."""
    require_tensorflow()
    from training.fitting.expected import expected_seconds
    from training.fitting.phases import Phases
    from training.fitting.progress import display

    store, data = open_store(), npz()
    print(f"Converting {data.name} to TFRecords", flush=True)
    dataset = datasets.convert(store, data.stem, data)
    parameters = Parameters(architecture=ARCHITECTURE)
    phases = Phases(expected_seconds(dataset.counts, parameters, report=False))
    with display(phases):
        phases.enter("fetching")
        # They load TensorFlow, which takes seconds.
        from training.evaluation.predictions import evaluate, keras_predictions
        from training.fitting import fit
        from training.input import fetch
        from training.packaging import weights

        fitted = fit.train(fetch(store, dataset, "train"), parameters, phases=phases)
        phases.enter("evaluating")
        test = fetch(store, dataset, "test")
        result = evaluate(keras_predictions(fitted.model, test.images).logits, test.labels)
    partial = WEIGHTS.with_suffix(".part")
    partial.write_bytes(weights.dump(fitted.model, ARCHITECTURE))
    partial.replace(WEIGHTS)
    print(f"Test loss: {result.loss:.4f}")
    print(f"Test accuracy: {result.accuracy:.4f}")


def predict(digit: Pixels) -> int:
    """Read a digit with weights.h5; before the first `--train`, with the model that comes with the code."""
    if not WEIGHTS.exists():
        from digits.models.live import load_folder

        with without_notices():
            classifier = load_folder(BUNDLED_FOLDER)
        return classifier.classify(digit).digit
    require_tensorflow()
    from training.input import scale
    from training.packaging import weights

    return int(
        weights.load(WEIGHTS, ARCHITECTURE)(scale(digit[np.newaxis])).numpy().argmax()
    )


if __name__ == "__main__":
    main()
