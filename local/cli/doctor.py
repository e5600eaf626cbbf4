"""`digits doctor`: checks the store."""

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
        typer.Option("--json", help="Print findings and counts as JSON"),
    ] = False,
) -> None:
    """Check every object in the store, and say how to repair what is damaged.

    The exit status is 1 if there are findings.
    """
    from digits import doctor  # noqa: PLC0415  loads NumPy and protobuf

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
                "Unfinished multipart uploads are not checked. "
                "The bucket deletes them after a day."
            )
    raise typer.Exit(1 if report.findings else 0)
