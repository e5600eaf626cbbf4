"""The `digits` command."""

import json
import logging
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

import digits
from digits import datasets, jobs
from digits.architectures import describe_architectures
from digits.datasets import DatasetVersion
from digits.errors import DigitsError, InvalidParameterError
from digits.jobs import Request
from digits.models.live import load_live
from digits.parameters import Parameters
from digits.store import Store
from local import server
from local.api_gateway import address
from local.aws_batch import container
from local.checkout import BUNDLED_FOLDER, MNIST, npz, open_store
from local.cli import download, evaluation, models, prediction
from local.cli.doctor import doctor
from local.cli.quiet import without_notices
from local.wording import explain_error, for_shell
from training import job
from training.revision import revision

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(models.app, name="models")
app.command()(doctor)


def main() -> None:
    """Run the command line. An expected error is one line on stderr, without a traceback."""
    try:
        app(prog_name="digits")
    except (DigitsError, OSError) as error:
        sys.exit(explain_error(error))


def _print_version(is_requested: bool) -> None:  # noqa: FBT001  as typer calls it
    if is_requested:
        commit = revision()
        suffix = f" ({commit})" if commit else ""
        typer.echo(f"digits {digits.__version__}{suffix}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit",
        ),
    ] = False,
) -> None:
    """Recognise handwritten digits, and train models."""


@app.command()
def serve(
    port: Annotated[
        int,
        typer.Option(
            help="Port number; 0 for any free port", envvar="PORT", min=0, max=65535
        ),
    ] = 3000,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on; 0.0.0.0 for the whole network",
            envvar="DIGITS_HOST",
        ),
    ] = address.LOOPBACK,
) -> None:
    """Serve the whole service on this machine."""
    raise typer.Exit(server.serve(port, container.find_container(), host=host))


@app.command()
def data() -> None:
    """Put MNIST at data/mnist.npz: a copy of $MNIST_NPZ, or a verified download."""
    source = os.environ.get("MNIST_NPZ")
    MNIST.parent.mkdir(parents=True, exist_ok=True)
    if not MNIST.exists() and source:
        download.copy(Path(source), MNIST)
    elif not MNIST.exists():
        typer.echo(f"Downloading {download.URL} (11 MB)")
        download.download(MNIST)
    typer.echo(f"{MNIST} is ready.")


@app.command()
def convert(
    path: Annotated[
        Path | None,
        typer.Argument(help="npz file; data/mnist.npz or the starter set by default"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset; the file's name by default")
    ] = None,
) -> None:
    """Convert an npz file to TFRecords in the store."""
    started = time.perf_counter()
    dataset = _convert(open_store(), path or npz(), name)
    rate = sum(dataset.counts.values()) / (time.perf_counter() - started)
    counts = ", ".join(f"{count:,} {split}" for split, count in dataset.counts.items())
    typer.echo(
        f"{dataset.name} {dataset.version}: {counts} examples ({rate:,.0f} images/s)"
    )


@app.command()
def train(  # noqa: PLR0913, PLR0917  one option per parameter
    dataset: Annotated[
        str | None,
        typer.Option(help="Dataset in the store; the present data by default"),
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(help=f"The network. {describe_architectures()}")
    ] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    batch_size: Annotated[int | None, typer.Option()] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    job_id: Annotated[
        str | None, typer.Option(help="Job to resume from its last checkpoint")
    ] = None,
) -> None:
    """Train in this process, as `POST /train` does, and release the model.

    The exit status is 1 if the training fails.
    """
    container.require_tensorflow()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("training.fitting.progress").setLevel(logging.INFO)
    store = open_store()
    if job_id is None:
        parameters = _parameters(
            dataset=dataset,
            architecture=architecture,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
        )
        job_id = _new_job(store, parameters)
    result = job.run(store, job_id)
    typer.echo(f"{result.status}: {for_shell(result.reason)}")
    raise typer.Exit(0 if result.status == "SUCCEEDED" else 1)


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(help="PNG files")],
    *,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print a JSON object per file and line, for programs"
        ),
    ] = False,
) -> None:
    """Read digits with the live model.

    The exit status is 0 if every file shows a digit, and 1 otherwise. Digits go to
    stdout. Files without a digit go to stderr, with the reason. With --json, every file
    goes to stdout.
    """
    with without_notices():
        classifier = load_live(open_store(), BUNDLED_FOLDER)
    status = 0
    for path in paths:
        result = prediction.predict_file(classifier, path)
        if as_json:
            typer.echo(json.dumps(result.to_json()))
        else:
            typer.echo(result.to_line(), err=not result.accepted)
        if not result.accepted:
            status = 1
    raise typer.Exit(status)


@app.command()
def evaluate(
    version: Annotated[
        str | None,
        typer.Argument(help="Model version, or bundled; the live model by default"),
    ] = None,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of PNG files, all of them non-digits"),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="Digits per corruption and severity, and per kind of picture"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for report.html and metrics.json, which is created"),
    ] = None,
) -> None:
    """Measure a model on its test set, on pictures made from the test set, and on non-digits."""
    container.require_tensorflow()
    result = evaluation.evaluate(open_store(), version, negatives or [], samples)
    for line in result.lines():
        typer.echo(line)
    if output:
        result.write(output)


def _new_job(store: Store, parameters: Parameters) -> str:
    """Record a job, and return its id."""
    dataset = _find_dataset(store, parameters.dataset)
    job_id = str(uuid.uuid4())
    jobs.create_job(store, Request.new(job_id, dataset, parameters))
    typer.echo(
        f"Job {job_id} trains on {dataset.name} {dataset.version}. "
        "After an interruption, resume the job with"
    )
    typer.echo(f"  digits train --job-id {job_id}")
    return job_id


def _find_dataset(store: Store, name: str | None) -> DatasetVersion:
    if name:
        return datasets.latest_version(store, name)
    return _convert(store, npz(), None)


def _convert(store: Store, path: Path, name: str | None) -> DatasetVersion:
    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(f"Converting {path.name}", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return datasets.convert(
            store,
            name or path.stem,
            path,
            on_progress=show,
        )


def _parameters(**options: Any) -> Parameters:
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Parameters.model_validate(given)
    except ValidationError as error:
        problems = []
        for detail in error.errors():
            location = ".".join(map(str, detail["loc"]))
            problems.append(f"{location}: {detail['msg']}")
        raise InvalidParameterError(f"{'; '.join(problems)}.") from error


if __name__ == "__main__":
    main()
