"""The `digits` command: what the service does, from a shell."""

import logging
import os
import shutil
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from digits import datasets, jobs
from digits.datasets import DatasetVersion
from digits.errors import DigitsError, InvalidParameterError
from digits.images import read_digit
from digits.jobs import Parameters, Request
from digits.live_model import LiveModel
from digits.store import Store
from local import cli_models, server
from local.checkout import BUNDLED, MNIST, npz, store_url

console = Console(highlight=False)
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(cli_models.app, name="models")


def main() -> None:
    """Run the command line. An error that a person can act on is one line, not a traceback."""
    try:
        app()
    except DigitsError as error:
        sys.exit(f"{error.title}: {error.detail}")
    except OSError as error:
        sys.exit(str(error))


@app.command()
def serve(port: Annotated[int, typer.Option(help="Port on 127.0.0.1", min=0, max=65535)] = 3000) -> None:
    """Serve the whole service on this machine."""
    raise typer.Exit(server.serve(port))


@app.command()
def data() -> None:
    """Put MNIST at data/mnist.npz: a copy of $MNIST_NPZ, or Keras' own download with its checksum."""
    if not MNIST.exists():
        with tempfile.TemporaryDirectory(dir=MNIST.parent) as folder:
            partial = Path(folder) / MNIST.name
            if given := os.environ.get("MNIST_NPZ"):
                shutil.copyfile(given, partial)
            else:
                import keras  # noqa: PLC0415  it loads TensorFlow

                keras.datasets.mnist.load_data(str(partial))
            partial.replace(MNIST)
    console.print(f"{MNIST} is there.")


@app.command()
def convert(
    path: Annotated[Path | None, typer.Argument(help="An npz; data/mnist.npz, or the starter set without it")] = None,
    name: Annotated[str | None, typer.Option(help="The dataset's name; the file's without it")] = None,
) -> None:
    """Convert an npz to TFRecords in the store."""
    started = time.perf_counter()
    dataset = _convert(Store(store_url()), path or npz(), name)
    rate = sum(dataset.counts.values()) / (time.perf_counter() - started)
    counts = ", ".join(f"{count:,} {split}" for split, count in dataset.counts.items())
    console.print(f"{dataset.name} {dataset.version}: {counts} examples ({rate:,.0f} images/s)")


@app.command()
def train(  # noqa: PLR0913, PLR0917  one option a parameter
    dataset: Annotated[str | None, typer.Option(help="A dataset in the store; the data present without it")] = None,
    architecture: Annotated[str | None, typer.Option(help="lite, or the lab's: lab")] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    batch_size: Annotated[int | None, typer.Option()] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    job_id: Annotated[str | None, typer.Option(help="Go on with this job, from its last checkpoint")] = None,
) -> None:
    """Train as `POST /train` does, in this process, and release the model."""
    from training import job  # noqa: PLC0415  it loads TensorFlow

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    store = Store(store_url())
    if job_id is None:
        parameters = _parameters(
            dataset=dataset,
            architecture=architecture,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
        )
        found = datasets.latest(store, dataset) if dataset else _convert(store, npz(), None)
        job_id = str(uuid.uuid4())
        jobs.create(store, Request.new(job_id, found, parameters))
        console.print(f"Job {job_id} trains on {found.name} {found.version}.")
    job.run(store, job_id)
    result = jobs.load_result(store, job_id)
    console.print(result and f"{result.status}: {result.reason}")


@app.command()
def predict(paths: Annotated[list[Path], typer.Argument(help="PNG files")]) -> None:
    """Read digits with the live model."""
    classifier = LiveModel(Store(store_url()), BUNDLED, 0, logging.getLogger(__name__)).current()
    for path in paths:
        answer = classifier.classify(read_digit(path.read_bytes()))
        best = f"{answer.digit} ({answer.confidence:.1%})"
        console.print(f"{path}: {best if answer.score >= classifier.threshold else f'no digit; the closest is {best}'}")


@app.command()
def evaluate(
    version: Annotated[str | None, typer.Argument(help="A model, or bundled; the live one without it")] = None,
    negatives: Annotated[list[Path] | None, typer.Option(help="A folder of PNG files, none of them a digit")] = None,
    samples: Annotated[int | None, typer.Option(help="Digits to damage in each way, and to render in each")] = None,
    output: Annotated[Path | None, typer.Option(help="A folder for report.html and metrics.json; it is made")] = None,
) -> None:
    """Measure a model on the test part of the data it was trained on, on pictures of it, and on others of no digits."""
    from local import evaluation  # noqa: PLC0415  it loads TensorFlow

    found = evaluation.evaluate(Store(store_url()), version, negatives or [], samples)
    for line in found.lines():
        console.print(line)
    if output:
        found.write(output)


def _convert(store: Store, path: Path, name: str | None) -> DatasetVersion:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"Converting {path.name}", total=None)
        return datasets.convert(
            store,
            name or path.stem,
            path,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _parameters(**options: Any) -> Parameters:
    try:
        return Parameters.model_validate({name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidParameterError(f"{wrong}.") from error


if __name__ == "__main__":
    main()
