"""The paths of a checkout of this project, and its store."""

import os
from pathlib import Path

from digits.errors import StoreError
from digits.store import Store

ROOT = Path(__file__).parents[1]
# The package that pip installs has the folders of a checkout, but is no place for data.
IS_CHECKOUT = (ROOT / "Makefile").exists()
HOME = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "digits"
MNIST = (ROOT / "data" if IS_CHECKOUT else HOME) / "mnist.npz"
STARTER = ROOT / "data" / "starter.npz"
BUNDLED_FOLDER = ROOT / "functions" / "predict" / "model"


def state_folder(root: Path = ROOT) -> Path:
    """The default folder for data: `.digits` in the checkout, or a folder in the user's home."""
    return HOME if root == ROOT and not IS_CHECKOUT else root / ".digits"


def store_url(root: Path = ROOT) -> str:
    """URL of the object store: `DIGITS_STORE`, or else the default folder."""
    return os.environ.get("DIGITS_STORE") or state_folder(root).as_uri()


def open_store() -> Store:
    """The object store.

    Raises:
        StoreError: the URL is invalid.
    """
    try:
        return Store(store_url())
    except StoreError as error:
        raise StoreError(
            f"{error.detail}. Set DIGITS_STORE to file:///folder or s3://bucket/prefix."
        ) from error


def npz() -> Path:
    """The present data: the full MNIST, or else the starter set."""
    return MNIST if MNIST.exists() else STARTER
