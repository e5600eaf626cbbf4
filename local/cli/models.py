"""`digits models`: the models in the store."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from digits import datasets, documents
from digits.architectures import ArchitectureName
from digits.errors import DamagedObjectError
from digits.models import releases
from digits.models.catalogue import CatalogueEntry
from digits.models.manifests import MANIFEST_FILE, MODEL_FILE, Manifest
from local.aws_batch import container
from local.checkout import npz, open_store
from local.cli import catalogue

app = typer.Typer(
    no_args_is_help=True, help="List, show, release, import and export models."
)
console = Console(highlight=False)
Version = Annotated[str, typer.Argument(help="Model version, or bundled")]


@app.command("list")
def list_models(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON as GET /models does")
    ] = False,
) -> None:
    """List the models, newest first, and the bundled model. The live model is marked."""
    store = open_store()
    live, problem = None, None
    try:
        live = releases.live_version(store)
    except DamagedObjectError as error:
        problem = error.detail
    models = list(catalogue.list_models(store))
    if as_json:
        _print_json(models, live, problem)
        return
    console.print(_table(models, live))
    if problem:
        typer.echo(problem)
    for model in models:
        if model.problem:
            typer.echo(f"{model.name}: {model.problem}")


@app.command()
def show(version: Version) -> None:
    """Print a model's manifest."""
    store = open_store()
    model = CatalogueEntry(version, catalogue.load_manifest(store, version))
    console.print_json(json.dumps(model.to_json()))


@app.command()
def release(
    version: Version,
    reason: Annotated[
        str, typer.Option(help="Reason to record")
    ] = "digits models release",
) -> None:
    """Make a model live, as a promotion or a rollback."""
    made = releases.release(open_store(), version, reason)
    typer.echo(f"Release {made.number}: {made.version} is live.")


@app.command()
def export(
    version: Version,
    folder: Annotated[Path, typer.Argument(help="Target folder, which is created")],
) -> None:
    """Export the files that the predict function serves, as in functions/predict/model."""
    manifest, model = catalogue.load_model(open_store(), version)
    _write(folder, {MODEL_FILE: model, MANIFEST_FILE: documents.to_bytes(manifest)})


@app.command("import")
def import_weights(
    path: Annotated[
        Path,
        typer.Argument(
            help="Weights of Keras 3 or Keras 2 in HDF5, such as weights.h5"
        ),
    ],
    dataset: Annotated[
        str | None, typer.Option(help="Dataset in the store to measure the model on")
    ] = None,
    architecture: Annotated[
        ArchitectureName, typer.Option(help="Network of the weights")
    ] = "lab",
) -> None:
    """Export, measure and publish a model with the weights of a file, without a release."""
    # Fail now if the file cannot be read, and not after TensorFlow's import.
    path.open("rb").close()
    container.require_tensorflow()
    store = open_store()
    measured_on = datasets.latest_version(store, dataset or npz().stem)
    from training.packaging import importing  # noqa: PLC0415  it loads TensorFlow

    manifest = importing.import_weights(store, path, architecture, measured_on)
    accuracy = manifest.metrics["accuracy"]
    typer.echo(
        f"{manifest.version}: accuracy {accuracy:.4f}. "
        f"Release the model with `digits models release {manifest.version}`."
    )


def _print_json(
    models: list[CatalogueEntry], live: str | None, problem: str | None
) -> None:
    entries = [model.to_json() for model in models]
    document: dict[str, Any] = {"live": live, "models": entries}
    if problem:
        document["problem"] = problem
    console.print_json(json.dumps(document))


def _table(models: list[CatalogueEntry], live: str | None) -> Table:
    table = Table("", "version", "dataset", "architecture", "accuracy", box=None)
    for model in models:
        mark = "live" if model.name == live else ""
        cells = _cells(model.manifest) if model.manifest else ["cannot be read"]
        table.add_row(mark, model.name, *cells)
    return table


def _cells(manifest: Manifest) -> list[str]:
    """The dataset, the architecture and the accuracy of a model."""
    architecture = manifest.parameters.get("architecture") or "unknown"
    accuracy = manifest.metrics.get("accuracy")
    return [
        f"{manifest.dataset} {manifest.dataset_version}",
        str(architecture),
        "unknown" if accuracy is None else f"{accuracy:.4f}",
    ]


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder. A failure leaves the folder as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".new-") as new:
        for name, data in files.items():
            (Path(new) / name).write_bytes(data)
        for name in files:
            (Path(new) / name).replace(folder / name)
