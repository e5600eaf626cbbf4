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
    arguments = parse_arguments()
    try:
        if arguments.train:
            train()
        else:
            digit = read_digit(arguments.predict.read_bytes())
            print(f"Predicted: {predict(digit)}")
    except (DigitsError, OSError) as error:
        sys.exit(explain_error(error))


def parse_arguments() -> argparse.Namespace:
    """The command line's options: either `train` or `predict`."""
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--train", action="store_true", help="train on TFRecords and write weights.h5"
    )
    action.add_argument(
        "--predict", metavar="PATH", type=Path, help="read the digit in a PNG file"
    )
    return parser.parse_args()


def train() -> None:
    """Convert the dataset to TFRecords, train on the TFRecords and write weights.h5."""
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
        # The first phase is shown before TensorFlow is loaded, which takes seconds.
        from training.evaluation.predictions import evaluate, keras_predictions
        from training.fitting import fit
        from training.input import fetch
        from training.packaging import weights

        examples = fetch(store, dataset, "train")
        fitted = fit.train(examples, parameters, phases=phases)
        phases.enter("evaluating")
        test = fetch(store, dataset, "test")
        predictions = keras_predictions(fitted.model, test.images)
        evaluation = evaluate(predictions.logits, test.labels)
    # A reader finds the old weights or the new weights, never a part of them.
    partial = WEIGHTS.with_suffix(".part")
    partial.write_bytes(weights.dump(fitted.model, ARCHITECTURE))
    partial.replace(WEIGHTS)
    print(f"Test loss: {evaluation.loss:.4f}")
    print(f"Test accuracy: {evaluation.accuracy:.4f}")


def predict(digit: Pixels) -> int:
    """Read a digit with weights.h5, or with the bundled model before the first `--train`.

    Args:
        digit: (28, 28) uint8, light ink on dark.
    """
    if not WEIGHTS.exists():
        return predict_with_bundled_model(digit)
    require_tensorflow()
    from training.input import scale
    from training.packaging import weights

    model = weights.load(WEIGHTS, ARCHITECTURE)
    logits = model(scale(digit[np.newaxis]))
    return int(logits.numpy().argmax())


def predict_with_bundled_model(digit: Pixels) -> int:
    """Read a digit without TensorFlow."""
    from digits.models.live import load_folder

    with without_notices():
        classifier = load_folder(BUNDLED_FOLDER)
    return classifier.classify(digit).digit


if __name__ == "__main__":
    main()
