"""A job's last finished epoch in the store, `jobs/<job_id>/checkpoint.keras`: the weights and the optimiser's state."""

import logging
import tempfile
from pathlib import Path
from zipfile import BadZipFile

import keras

from digits.errors import MissingObjectError
from digits.store import Store

logger = logging.getLogger(__name__)


class Checkpoint:
    """The checkpoint of one job. One object, so that it is there whole or not at all."""

    def __init__(self, store: Store, job_id: str) -> None:
        self._store = store
        self._key = f"jobs/{job_id}/checkpoint.keras"

    def save(self, model: keras.Model) -> None:
        """Keep the model as it is now, in place of what was kept before."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.keras"
            model.save(path)
            self._store.write(self._key, path.read_bytes())

    def load(self) -> keras.Model | None:
        """The compiled model that was kept; None when there is none, or none that can be read."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.keras"
            try:
                self._store.download(self._key, path)
                return keras.saving.load_model(path)
            except MissingObjectError:
                return None
            except (BadZipFile, KeyError, OSError, ValueError) as error:
                logger.warning("The checkpoint cannot be read, so the training starts over: %s", error)
                return None

    def delete(self) -> None:
        """Forget it."""
        self._store.delete(self._key)
