"""The `digits` command: what the service does, from a shell."""

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
    """Run the command line. An error that a person can act on is one line, not a traceback."""
    try:
        app(prog_name="digits")
    except (DigitsError, OSError) as error:
        sys.exit(explain_error(error))


def _show_version(asked: bool) -> None:  # noqa: FBT001  as typer calls it
    if asked:
        commit = revision()
        typer.echo(f"digits {digits.__version__}" + (f" ({commit})" if commit else ""))
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Say which it is"
        ),
    ] = False,
) -> None:
    """Read handwritten digits, and train models to."""


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(help="Any free one if 0", envvar="PORT", min=0, max=65535)
    ] = 3000,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on: 0.0.0.0 for the whole network",
            envvar="DIGITS_HOST",
        ),
    ] = address.LOOPBACK,
) -> None:
    """Serve the whole service on this machine."""
    raise typer.Exit(server.serve(port, container.find_container(), host=host))


@app.command()
def data() -> None:
    """Put MNIST at data/mnist.npz: a copy of $MNIST_NPZ, or a download that is checked."""
    given = os.environ.get("MNIST_NPZ")
    MNIST.parent.mkdir(parents=True, exist_ok=True)
    if not MNIST.exists() and given:
        download.copy(Path(given), MNIST)
    elif not MNIST.exists():
        typer.echo(f"Downloading {download.URL} (11 MB)")
        download.download(MNIST)
    typer.echo(f"{MNIST} is there.")


@app.command()
def convert(
    path: Annotated[
        Path | None,
        typer.Argument(help="An npz; data/mnist.npz, or the starter set without it"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The dataset's name; the file's without it")
    ] = None,
) -> None:
    """Convert an npz to TFRecords in the store."""
    started = time.perf_counter()
    dataset = _convert(open_store(), path or npz(), name)
    rate = sum(dataset.counts.values()) / (time.perf_counter() - started)
    counts = ", ".join(f"{count:,} {split}" for split, count in dataset.counts.items())
    typer.echo(
        f"{dataset.name} {dataset.version}: {counts} examples ({rate:,.0f} images/s)"
    )


@app.command()
def train(  # noqa: PLR0913, PLR0917  one option a parameter
    dataset: Annotated[
        str | None,
        typer.Option(help="A dataset in the store; the data present without it"),
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(help=f"The network. {describe_architectures()}")
    ] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    batch_size: Annotated[int | None, typer.Option()] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    job_id: Annotated[
        str | None, typer.Option(help="Go on with this job, from its last checkpoint")
    ] = None,
) -> None:
    """Train as `POST /train` does, in this process, and release the model. Exit status 1 if the training failed."""
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
            "--json", help="For programs: a JSON object for each file, in a line"
        ),
    ] = False,
) -> None:
    """Read digits with the live model.

    Exit status 0 if each file is a picture of a digit, and 1 if not. Digits are printed
    on stdout, and on stderr the files without one, with the reason; as JSON, all of
    them on stdout.
    """
    with without_notices():
        classifier = load_live(open_store(), BUNDLED_FOLDER)
    status = 0
    for path in paths:
        found = prediction.predict_file(classifier, path)
        if as_json:
            typer.echo(json.dumps(found.to_json()))
        else:
            typer.echo(found.to_line(), err=not found.accepted)
        status = status if found.accepted else 1
    raise typer.Exit(status)


@app.command()
def evaluate(
    version: Annotated[
        str | None, typer.Argument(help="A model, or bundled; the live one without it")
    ] = None,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of PNG files, none of them a digit"),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Digits to damage in each way, and to render in each"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="A folder for report.html and metrics.json; it is made"),
    ] = None,
) -> None:
    """Measure a model on the test part of the data it was trained on, on pictures of it, and on others of no digits."""
    container.require_tensorflow()
    found = evaluation.evaluate(open_store(), version, negatives or [], samples)
    for line in found.lines():
        typer.echo(line)
    if output:
        found.write(output)


def _new_job(store: Store, parameters: Parameters) -> str:
    """Record a job.

    Returns:
        Its id.
    """
    name = parameters.dataset
    found = (
        datasets.latest_version(store, name) if name else _convert(store, npz(), None)
    )
    job_id = str(uuid.uuid4())
    jobs.create_job(store, Request.new(job_id, found, parameters))
    typer.echo(
        f"Job {job_id} trains on {found.name} {found.version}. Stopped, it goes on with"
    )
    typer.echo(f"  digits train --job-id {job_id}")
    return job_id


def _convert(store: Store, path: Path, name: str | None) -> DatasetVersion:
    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(f"Converting {path.name}", total=None)
        return datasets.convert(
            store,
            name or path.stem,
            path,
            on_progress=lambda done, total: progress.update(
                task, completed=done, total=total
            ),
        )


def _parameters(**options: Any) -> Parameters:
    try:
        return Parameters.model_validate(
            {name: value for name, value in options.items() if value is not None}
        )
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
        )
        raise InvalidParameterError(f"{wrong}.") from error


if __name__ == "__main__":
    main()
