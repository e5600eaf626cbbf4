"""`python -m training` in a second: all is real but the network, for which the bundled one is taken.

To import TensorFlow and to fit take longer than all that can go wrong with a store.
Some rounds do that, too.
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
from training.fitting.progress import Phases

BUNDLED = ROOT / "functions" / "predict" / "model"
CHECKPOINTS = 3


@dataclass(frozen=True)
class Made:
    """As `training.pipeline.Made`."""

    manifest: Manifest
    files: dict[str, bytes]
    objections: list[str]


def make(
    store: Store, request: Request, dataset: DatasetVersion, phases: Phases
) -> Made:
    """As `training.pipeline.make`: reports progress, keeps checkpoints, and makes a model of its own."""
    phases.enter("fitting")
    for _ in range(CHECKPOINTS):
        store.write(jobs.checkpoint_key(request.job_id), os.urandom(1 << 16))
        time.sleep(0.2)  # To be killed, or cancelled, in between.
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
    return Made(
        manifest, files, ["it is worse"] if request.parameters["seed"] % 4 == 0 else []
    )


if __name__ == "__main__":
    pipeline = types.ModuleType("training.pipeline")
    vars(pipeline)["make"] = make
    sys.modules[pipeline.__name__] = pipeline
    sys.exit(main())
