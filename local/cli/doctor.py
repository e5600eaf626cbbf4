"""`digits doctor`: whether everything in the store is whole."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from local.checkout import open_store

console = Console(highlight=False, soft_wrap=True)


def doctor(
    *,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="For programs: findings, and what was checked"),
    ] = False,
) -> None:
    """Check that everything in the store is whole, and say what to do where it is not; exit code 1 then."""
    from digits import doctor  # noqa: PLC0415  It loads NumPy and protobuf, as no other command does at its start.

    store = open_store()
    report = doctor.examine_store(store)
    if as_json:
        console.print_json(json.dumps(asdict(report)))
    else:
        for finding in report.findings:
            console.print(
                f"{finding.key}: {finding.problem} {finding.remedy}", markup=False
            )
        checked = ", ".join(
            f"{kind} {count:,}" for kind, count in report.checked.items()
        )
        console.print(f"Findings: {len(report.findings):,}. Checked: {checked}.")
        if store.url.startswith("s3:"):
            console.print(
                "Unfinished multipart uploads cannot be seen from here; the bucket deletes them after a day."
            )
    raise typer.Exit(1 if report.findings else 0)
