"""Where things are in a checkout of this project, and the store that it uses."""

import os
from pathlib import Path

from digits.errors import StoreError
from digits.store import Store

ROOT = Path(__file__).parents[1]
MNIST = ROOT / "data" / "mnist.npz"
STARTER = ROOT / "data" / "starter.npz"
BUNDLED_FOLDER = ROOT / "functions" / "predict" / "model"


def store_url(root: Path = ROOT) -> str:
    """URL of the object store: `DIGITS_STORE`, or the folder `.digits` of the checkout."""
    return os.environ.get("DIGITS_STORE") or (root / ".digits").as_uri()


def open_store() -> Store:
    """The object store.

    Raises:
        StoreError: its URL leads nowhere.
    """
    try:
        return Store(store_url())
    except StoreError as error:
        raise StoreError(f"{error.detail}. Set DIGITS_STORE to file:///folder or s3://bucket/prefix.") from error


def npz() -> Path:
    """The data present: the full MNIST, or the starter set without it."""
    return MNIST if MNIST.exists() else STARTER
