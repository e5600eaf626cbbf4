"""Where things are in a checkout of this project, and the store that it uses."""

import os
from pathlib import Path

from digits.errors import StoreError
from digits.store import Store

ROOT = Path(__file__).parents[1]
# What pip installs is laid out as a checkout, but is not for anything to be kept in.
IS_CHECKOUT = (ROOT / "Makefile").exists()
HOME = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "digits"
MNIST = (ROOT / "data" if IS_CHECKOUT else HOME) / "mnist.npz"
STARTER = ROOT / "data" / "starter.npz"
BUNDLED_FOLDER = ROOT / "functions" / "predict" / "model"


def state_folder(root: Path = ROOT) -> Path:
    """Where things are kept if nobody says where: the folder `.digits` of the checkout, or one in the user's home."""
    return HOME if root == ROOT and not IS_CHECKOUT else root / ".digits"


def store_url(root: Path = ROOT) -> str:
    """URL of the object store: `DIGITS_STORE`, or a folder."""
    return os.environ.get("DIGITS_STORE") or state_folder(root).as_uri()


def open_store() -> Store:
    """The object store.

    Raises:
        StoreError: its URL leads nowhere.
    """
    try:
        return Store(store_url())
    except StoreError as error:
        raise StoreError(
            f"{error.detail}. Set DIGITS_STORE to file:///folder or s3://bucket/prefix."
        ) from error


def npz() -> Path:
    """The data present: the full MNIST, or the starter set without it."""
    return MNIST if MNIST.exists() else STARTER
