"""`python -m training` in a second: all is real except the network, which is the bundled model.

Faults of a store need no fitting, which takes much longer. Some rounds fit, too.
"""

import os
import sys
import time
import types
from dataclasses import dataclass, replace

from digits import jobs
from digits.datasets.versions import DatasetVersion
from digits.jobs import Request
from digits.models import manifests
from digits.models.manifests import MANIFEST_FILE, MODEL_FILE, WEIGHTS_FILE, Manifest
from digits.store import Store
from tests.conftest import ROOT
from training.__main__ import main
from training.fitting.phases import Phases

BUNDLED = ROOT / "functions" / "predict" / "model"
CHECKPOINTS = 3
CHECKPOINT_SECONDS = 0.2
# The gate blocks one of this number of models.
BLOCKED_OF = 4


@dataclass(frozen=True)
class TrainedModel:
    """Stands in for `training.pipeline.TrainedModel`."""

    manifest: Manifest
    files: dict[str, bytes]
    release_blockers: list[str]


def train_model(
    store: Store, request: Request, dataset: DatasetVersion, phases: Phases
) -> TrainedModel:
    """Report progress, keep checkpoints and make a model, as `pipeline.train_model` does."""
    phases.enter("fitting")
    for _ in range(CHECKPOINTS):
        store.write(jobs.checkpoint_key(request.job_id), os.urandom(1 << 16))
        # A kill or a cancellation may come here.
        time.sleep(CHECKPOINT_SECONDS)
    phases.enter("exporting")
    files = {
        MODEL_FILE: (BUNDLED / MODEL_FILE).read_bytes(),
        WEIGHTS_FILE: request.job_id.encode(),
    }
    bundled = manifests.parse_manifest((BUNDLED / MANIFEST_FILE).read_bytes())
    manifest = replace(
        bundled,
        version=manifests.version_name(request.created, files),
        dataset=dataset.name,
        dataset_version=dataset.version,
        files={name: manifests.file_info(data) for name, data in files.items()},
    )
    is_blocked = request.parameters["seed"] % BLOCKED_OF == 0
    return TrainedModel(manifest, files, ["it is worse"] if is_blocked else [])


if __name__ == "__main__":
    pipeline = types.ModuleType("training.pipeline")
    vars(pipeline)["train_model"] = train_model
    sys.modules[pipeline.__name__] = pipeline
    sys.exit(main())
