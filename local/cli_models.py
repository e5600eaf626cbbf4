"""`digits models`: what is in the store, and what is live."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from digits import datasets, models, releases
from digits.models import MANIFEST_FILE, MODEL_FILE
from digits.store import Store
from local.checkout import npz, store_url

app = typer.Typer(no_args_is_help=True, help="List, show, release, import and export models.")
console = Console(highlight=False)
Version = Annotated[str, typer.Argument(help="A model's version")]


@app.command("list")
def list_models() -> None:
    """The models in the store, newest last; the live one is marked."""
    store = Store(store_url())
    live = releases.live(store)
    table = Table("", "version", "dataset", "architecture", "accuracy", box=None)
    for version in models.list_versions(store):
        manifest = models.load_manifest(store, version)
        mark = "live" if live and live.version == version else ""
        dataset = f"{manifest.dataset} {manifest.dataset_version}"
        architecture = str(manifest.parameters.get("architecture"))
        table.add_row(mark, version, dataset, architecture, f"{manifest.metrics['accuracy']:.4f}")
    console.print(table)


@app.command()
def show(version: Version) -> None:
    """A model's manifest."""
    console.print_json(json.dumps(models.load_manifest(Store(store_url()), version).to_json()))


@app.command()
def release(version: Version, reason: Annotated[str, typer.Option(help="Why")] = "digits models release") -> None:
    """Make a model live: promote it, or roll back to it."""
    made = releases.release(Store(store_url()), version, reason)
    console.print(f"Release {made.number}: {made.version} is live.")


@app.command()
def export(version: Version, folder: Annotated[Path, typer.Argument(help="Where to; it is made")]) -> None:
    """Copy what the predict function serves: this made the model bundled with it, functions/predict/model."""
    store = Store(store_url())
    models.load_manifest(store, version)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (MODEL_FILE, MANIFEST_FILE):
        (folder / name).write_bytes(store.read(f"models/{version}/{name}"))


@app.command("import")
def import_weights(
    path: Annotated[Path, typer.Argument(help="Keras weights in HDF5: of Keras 3, or Keras 2's such as weights.h5")],
    dataset: Annotated[str | None, typer.Option(help="Measure it on this dataset in the store")] = None,
    architecture: Annotated[str, typer.Option(help="The network that the weights are of")] = "lab",
) -> None:
    """Make a model of a weights file: exported, measured, published, and not released."""
    from training import importing  # noqa: PLC0415  it loads TensorFlow

    store = Store(store_url())
    manifest = importing.publish(store, path, architecture, datasets.latest(store, dataset or npz().stem))
    console.print(f"{manifest.version}: accuracy {manifest.metrics['accuracy']:.4f}. Release it: digits models release")
