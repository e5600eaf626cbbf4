"""Checks everything in a store, for `digits doctor`: no kill and no failure may break these rules.

The doctor only reads, and reads large files in pieces. Something unfinished counts as
abandoned after an hour without a write. Before, somebody may be at work on it.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from operator import attrgetter

from digits.doctor.datasets import check_datasets
from digits.doctor.examination import Examination, Finding
from digits.doctor.jobs import check_jobs
from digits.doctor.models import check_models, check_releases
from digits.store import Store

PATIENCE = timedelta(hours=1)

# Hints and indexes: JSON files whose name, or whose folder's name, begins with a dot.
_INDEX = re.compile(r"[^.]*/\.[^/]+(/[^/]+)?\.json")
# local.aws_batch.job_queue writes a file under this suffix, and then renames the file.
_PART = ".part"


@dataclass(frozen=True)
class Report:
    """The findings, by key, and the number of things checked, by kind."""

    findings: list[Finding]
    checked: dict[str, int]


def examine_store(store: Store, patience: timedelta = PATIENCE) -> Report:
    """Check everything in a store.

    Args:
        store: is only read.
        patience: how long ago the last write into something unfinished must be, to
            count as abandoned.

    Raises:
        StoreError: the store does not answer.
    """
    examination = Examination(store, patience)
    complete = check_models(examination)
    checked = {
        "models": len(complete),
        "releases": check_releases(examination, complete),
        "dataset versions": check_datasets(examination),
        "jobs": check_jobs(examination, complete),
        "objects": len(examination.entries),
    }
    _check_indexes(examination)
    _check_temporary_files(examination)
    return Report(sorted(examination.findings, key=attrgetter("key")), checked)


def _check_indexes(examination: Examination) -> None:
    remedy = "Delete the file. The file only makes searches faster."
    for key in filter(_INDEX.fullmatch, examination.entries):
        examination.load(key, remedy, partial(examination.store.read_json, key))


def _check_temporary_files(examination: Examination) -> None:
    """Check for files that dead writers left in a folder.

    S3 has no temporary objects, and does not list unfinished uploads.
    """
    for path in examination.store.leftovers(examination.patience):
        examination.add(
            str(path),
            "A writer that died left this file.",
            "Delete the file. `digits serve` also does so when it starts.",
        )
    for entry in examination.entries.values():
        if entry.key.endswith(_PART) and examination.is_long_ago(entry.modified):
            examination.add(
                entry.key,
                "The local Batch died before it had written this file.",
                "Delete the file.",
            )
