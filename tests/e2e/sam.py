"""`sam local`: the functions in their containers."""

import json
import subprocess
import uuid
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.e2e.server import serve


class Sam:
    """Runs the functions that `sam build` has built.

    Args:
        variables: of the functions' environments, in place of the template's values. A
            function gets only the variables that the template declares.
        folder: takes logs, and the files that sam reads.
    """

    def __init__(self, variables: dict[str, str], folder: Path) -> None:
        self._variables = variables
        self._folder = folder

    def start_api(self, *options: str) -> AbstractContextManager[str]:
        """Serve the API, and give its URL. Without `options`, each request gets a new container."""
        command = ["sam", "local", "start-api", *self._options(), *options]
        return serve(command, "127.0.0.1", self._folder / "api.log")

    def invoke(self, function: str, event: dict[str, Any], **variables: str) -> Any:
        """The answer of a function to an event."""
        command = ["sam", "local", "invoke", function]
        command += ["--event", str(self._write(event)), *self._options(**variables)]
        with (self._folder / "invoke.log").open("ab") as log:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=log, check=True
            )
        answer = json.loads(done.stdout)
        assert "errorType" not in (answer or {}), answer
        return answer

    def _options(self, **variables: str) -> list[str]:
        overrides = self._write({"Parameters": self._variables | variables})
        # The images are local, so sam must not pull them. On Linux, host.docker.internal
        # needs the option.
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
