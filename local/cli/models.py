"""`digits models`: what is in the store, and what is live."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

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
Version = Annotated[str, typer.Argument(help="A model's version, or bundled")]


@app.command("list")
def list_models(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs, as GET /models answers")
    ] = False,
) -> None:
    """The models in the store, newest first, and the one bundled with the code; the live one is marked."""
    store = open_store()
    live, problem = None, None
    try:
        live = releases.live_version(store)
    except DamagedObjectError as error:
        problem = error.detail
    listed = list(catalogue.list_models(store))
    if as_json:
        document = {"live": live, "models": [model.to_json() for model in listed]}
        console.print_json(
            json.dumps(document | ({"problem": problem} if problem else {}))
        )
        return
    console.print(_table(listed, live))
    for line in [
        problem,
        *(f"{model.name}: {model.problem}" for model in listed if model.problem),
    ]:
        if line:
            typer.echo(line)


@app.command()
def show(version: Version) -> None:
    """A model's manifest."""
    store = open_store()
    model = CatalogueEntry(version, catalogue.load_manifest(store, version))
    console.print_json(json.dumps(model.to_json()))


@app.command()
def release(
    version: Version,
    reason: Annotated[str, typer.Option(help="Why")] = "digits models release",
) -> None:
    """Make a model live: promote it, or roll back to it."""
    made = releases.release(open_store(), version, reason)
    typer.echo(f"Release {made.number}: {made.version} is live.")


@app.command()
def export(
    version: Version,
    folder: Annotated[Path, typer.Argument(help="Where to; it is made")],
) -> None:
    """Copy what the predict function serves: this made the model bundled with it, functions/predict/model."""
    manifest, model = catalogue.load_model(open_store(), version)
    _write(folder, {MODEL_FILE: model, MANIFEST_FILE: documents.to_bytes(manifest)})


@app.command("import")
def import_weights(
    path: Annotated[
        Path,
        typer.Argument(
            help="Keras weights in HDF5: of Keras 3, or Keras 2's such as weights.h5"
        ),
    ],
    dataset: Annotated[
        str | None, typer.Option(help="Measure it on this dataset in the store")
    ] = None,
    architecture: Annotated[
        ArchitectureName, typer.Option(help="The network that the weights are of")
    ] = "lab",
) -> None:
    """Make a model of a weights file: exported, measured, published, and not released."""
    path.open("rb").close()  # Say at once if that cannot be done.
    container.require_tensorflow()
    store = open_store()
    found = datasets.latest_version(store, dataset or npz().stem)
    from training.packaging import importing  # noqa: PLC0415  it loads TensorFlow

    manifest = importing.import_weights(store, path, architecture, found)
    accuracy = manifest.metrics["accuracy"]
    typer.echo(
        f"{manifest.version}: accuracy {accuracy:.4f}. Release it: digits models release {manifest.version}"
    )


def _table(listed: list[CatalogueEntry], live: str | None) -> Table:
    table = Table("", "version", "dataset", "architecture", "accuracy", box=None)
    for model in listed:
        mark = "live" if model.name == live else ""
        table.add_row(
            mark,
            model.name,
            *(_facts(model.manifest) if model.manifest else ["cannot be read"]),
        )
    return table


def _facts(manifest: Manifest) -> list[str]:
    architecture, accuracy = (
        manifest.parameters.get("architecture"),
        manifest.metrics.get("accuracy"),
    )
    return [
        f"{manifest.dataset} {manifest.dataset_version}",
        str(architecture or "unknown"),
        "unknown" if accuracy is None else f"{accuracy:.4f}",
    ]


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Put files into a folder. Until all of them are written, the folder is as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".new-") as new:
        for name, data in files.items():
            (Path(new) / name).write_bytes(data)
        for name in files:
            (Path(new) / name).replace(folder / name)
