"""The service on this machine for the page, and in its containers for everything else."""

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import httpx
import pytest

from cloud import shell, training_image
from tests.conftest import ROOT
from tests.e2e.aws import CREDENTIALS, Aws, host_address
from tests.e2e.cloud import Cloud
from tests.e2e.sam import Sam
from tests.e2e.server import serve
from tests.integration.conftest import Service


@pytest.fixture(scope="session")
def service_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = Service(tmp_path_factory.mktemp("service"))
    yield str(running.client.base_url)
    running.stop()
    running.client.close()


@pytest.fixture(scope="session", autouse=True)
def environment() -> Iterator[pytest.MonkeyPatch]:
    """Put the tools of .venv first on the PATH, and the user's AWS account out of reach."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                patch.delenv(name)
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        patch.setenv("SAM_CLI_TELEMETRY", "0")
        patch.chdir(ROOT)
        yield patch


def need_docker() -> None:
    """End the tests on a machine without a running Docker engine."""
    try:
        shell.output("docker", "version")
    except shell.CloudError as error:
        pytest.exit(
            "These tests need Docker, with its engine running (on Debian: docker.io). "
            f"{error}",
            returncode=1,
        )


@pytest.fixture(scope="session")
def images(pytestconfig: pytest.Config) -> None:
    """Build the images of the stack, as make deploy does. The output is shown, for minutes."""
    need_docker()
    with uncaptured(pytestconfig):
        shell.run("sam", "build")
        training_image.build(gpu=False)


@pytest.fixture(scope="session")
def service_images(pytestconfig: pytest.Config) -> None:
    """Build the whole service as a container, with training and without. The output is shown."""
    need_docker()
    with uncaptured(pytestconfig):
        shell.run("make", "image")


def uncaptured(pytestconfig: pytest.Config) -> AbstractContextManager[None]:
    """Show output on the terminal at once."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    disabled: AbstractContextManager[None] = capture.global_and_fixture_disabled()
    return disabled


@pytest.fixture(scope="session")
def aws(
    images: None,
    environment: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Aws]:
    del images  # The stack refers to the images.
    folder = tmp_path_factory.mktemp("aws")
    scratch = folder / "scratch"
    scratch.mkdir()
    # This machine does not know the container's user.
    scratch.chmod(0o777)
    command = [sys.executable, "-m", "moto.server"]
    with serve(command, host_address(), folder / "moto.log") as url:
        environment.setenv("AWS_ENDPOINT_URL", url)
        with closing(Aws(url, f"e2e{uuid.uuid4().hex}", scratch)) as running:
            yield running


@pytest.fixture(scope="session")
def sam(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Sam:
    variables = {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "DIGITS_STORE": f"s3://{aws.bucket}",
        "DIGITS_JOB_QUEUE": aws.queue,
        "DIGITS_JOB_DEFINITION": aws.definition,
    }
    return Sam(variables, tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="session")
def cloud(aws: Aws, sam: Sam) -> Iterator[Cloud]:
    # Lambda keeps environments warm, too.
    with (
        sam.start_api("--warm-containers", "LAZY") as url,
        httpx.Client(base_url=url, timeout=60) as api,
    ):
        yield Cloud(api, aws, sam)


@pytest.fixture(scope="session")
def starter(cloud: Cloud) -> str:
    """The name of a dataset in the cloud: the starter set."""
    converted = cloud.upload("starter", (ROOT / "data" / "starter.npz").read_bytes())
    assert converted["status"] == "converted", converted
    return "starter"
