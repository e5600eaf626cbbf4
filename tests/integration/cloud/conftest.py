"""A checkout to deploy from. AWS is moto. `sam` and `docker` only record their calls."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import boto3
import pytest

from tests.conftest import need
from tests.docs import write_tool

ROOT = Path(__file__).parents[3]
REGION = "eu-west-1"
SECONDS = 60
# The part of the stack that moto's CloudFormation supports.
TEMPLATE = """
Parameters: {TrainingTag: {Type: String}}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    Properties: {VersioningConfiguration: {Status: Enabled}}
  TrainLogs: {Type: AWS::Logs::LogGroup}
  TrainingLogs: {Type: AWS::Logs::LogGroup}
  TrainingImages: {Type: AWS::ECR::Repository, Properties: {RepositoryName: !Ref AWS::StackName}}
Outputs:
  Url: {Value: "https://api.test/v1"}
  ApiKey: {Value: "a b"}
  Curl: {Value: 'curl -H "x-api-key: $(aws)" https://api.test/v1/predict'}
  Bucket: {Value: !Ref Bucket}
  TrainingImages: {Value: !GetAtt TrainingImages.RepositoryUri}
"""


class Checkout:
    """A folder with the files that a deployment reads, and a folder with the tools."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.tools = folder / "tools"
        need("git")
        self.folder.mkdir()
        self.tools.mkdir()
        self.name = f"digits-{uuid.uuid4().hex[:8]}"
        for file in ("template.yaml", "samconfig.toml"):
            shutil.copy(ROOT / file, self.folder)
        # Tests must not deploy to the stack that was deployed from this checkout.
        own_stack = r"(?m)^(stack_name|region|s3_prefix) = .*\n"
        self.config.write_text(re.sub(own_stack, "", self.config.read_text()))
        stand_in = Path(__file__).with_name("stand_in.py").read_text()
        for name in ("sam", "docker"):
            write_tool(self.tools / name, Path(sys.executable), stand_in)
        self.tell("template", TEMPLATE)
        self.tell("image", f"sha256:{'1a' * 32}")
        self.tell("failing", "nothing")
        self.git("init", "--quiet")
        self.commit("README.md")

    @property
    def config(self) -> Path:
        return self.folder / "samconfig.toml"

    def save(self, *parameters: str) -> None:
        """Write the samconfig.toml that the first deployment leaves."""
        overrides = f"parameter_overrides = {[*parameters]}"
        text = re.sub(
            r"(?m)^parameter_overrides = .*", overrides, self.config.read_text()
        )
        saved = f'global.parameters]\nstack_name = "{self.name}"\nregion = "{REGION}"\n'
        self.config.write_text(text.replace("global.parameters]\n", saved))

    def create_stack(self) -> str:
        """Create a deployed stack, and return its bucket."""
        self.save()
        client = boto3.client("cloudformation", region_name=REGION)
        client.create_stack(
            StackName=self.name,
            TemplateBody=TEMPLATE,
            Parameters=[{"ParameterKey": "TrainingTag", "ParameterValue": "a"}],
        )
        outputs = client.describe_stacks(StackName=self.name)["Stacks"][0]["Outputs"]
        values = {output["OutputKey"]: output["OutputValue"] for output in outputs}
        return str(values["Bucket"])

    def use_real_sam(self) -> None:
        (self.tools / "sam").unlink()

    def tell(self, file: str, text: str) -> None:
        (self.tools / file).write_text(text)

    def calls(self) -> list[list[str]]:
        """The calls of the tools since the last look."""
        path = self.tools / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def deployed(self) -> dict[str, str]:
        """The parameters of the last `sam deploy`, as SAM reads them."""
        parameters: dict[str, str] = json.loads((self.tools / "parameters").read_text())
        return parameters

    def commit(self, file: str) -> str:
        """Commit a new file, and return the commit."""
        (self.folder / file).parent.mkdir(exist_ok=True)
        (self.folder / file).touch()
        self.git("add", file)
        author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        self.git(*author, "commit", "--quiet", "--message", file)
        return self.git("rev-parse", "--short", "HEAD")

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def cloud(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command line without a terminal."""
        command = [sys.executable, "-m", "cloud", *arguments]
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def cloud_in_terminal(self, *arguments: str, answers: str) -> tuple[int, str]:
        """Run the command line in a terminal, and return its exit status and output."""
        command = [sys.executable, "-m", "cloud", *arguments]
        keyboard, terminal = pty.openpty()
        os.write(keyboard, answers.encode())
        try:
            done = subprocess.run(
                command,
                stdin=terminal,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        finally:
            os.close(keyboard)
            os.close(terminal)
        return done.returncode, done.stdout


@pytest.fixture
def checkout(
    tmp_path: Path, moto_server: str, monkeypatch: pytest.MonkeyPatch
) -> Checkout:
    """A checkout that is the working folder, with its tools first on the PATH."""
    made = Checkout(tmp_path)
    monkeypatch.chdir(made.folder)
    folders = [str(made.tools), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    # SAM asks the internet for newer versions, once a week.
    (tmp_path / "metadata.json").write_text(
        json.dumps({"telemetryEnabled": False, "lastVersionCheck": time.time()})
    )
    monkeypatch.setenv("__SAM_CLI_APP_DIR", str(tmp_path))
    return made
