"""`sam local`: the functions in their containers."""

import json
import subprocess
import uuid
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.e2e.server import serve


class Sam:
    """Runs what `sam build` built.

    Args:
        variables: of the functions' environments, in place of the template's. Only what
            a function declares there reaches it.
        folder: for logs, and for the files that sam reads.
    """

    def __init__(self, variables: dict[str, str], folder: Path) -> None:
        self._variables = variables
        self._folder = folder

    def start_api(self, *options: str) -> AbstractContextManager[str]:
        """Serve the API, given its URL; with a container for each request, unless `options` say otherwise."""
        command = ["sam", "local", "start-api", *self._options(), *options]
        return serve(command, "127.0.0.1", self._folder / "api.log")

    def invoke(self, function: str, event: dict[str, Any], **variables: str) -> Any:
        """What a function returns for an event."""
        event_file = self._write(event)
        command = [
            "sam",
            "local",
            "invoke",
            function,
            "--event",
            str(event_file),
            *self._options(**variables),
        ]
        with (self._folder / "invoke.log").open("ab") as log:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=log, check=True
            )
        answer = json.loads(done.stdout)
        assert "errorType" not in (answer or {}), answer
        return answer

    def _options(self, **variables: str) -> list[str]:
        overrides = self._write({"Parameters": self._variables | variables})
        # An image that is there is not pulled again. host.docker.internal is this
        # machine on Linux as well then.
        return [
            "--skip-pull-image",
            "--add-host",
            "host.docker.internal:host-gateway",
            "--env-vars",
            str(overrides),
        ]

    def _write(self, document: dict[str, Any]) -> Path:
        path = self._folder / f"{uuid.uuid4()}.json"
        path.write_text(json.dumps(document))
        return path
