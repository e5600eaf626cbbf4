"""What the tests drive: the service on this machine for the page, and in its containers for the cloud."""

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


@pytest.fixture(scope="session")
def environment() -> Iterator[pytest.MonkeyPatch]:
    """The tools of .venv, and no AWS account of the user's in reach of them or of a container."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        patch.setenv("SAM_CLI_TELEMETRY", "0")
        patch.chdir(ROOT)
        yield patch


@pytest.fixture(scope="session")
def docker(environment: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Docker, with its engine running."""
    try:
        shell.output("docker", "version")
    except shell.CloudError as error:
        pytest.exit(
            f"These tests need Docker, with its engine running (on Debian, docker.io). {error}",
            returncode=1,
        )


@pytest.fixture(scope="session")
def images(docker: None, pytestconfig: pytest.Config) -> None:  # noqa: ARG001
    """Everything that is deployed, built as make deploy builds it. It shows what it does, because it takes minutes."""
    with shown(pytestconfig):
        shell.run("sam", "build")
        training_image.build(gpu=False)


@pytest.fixture(scope="session")
def service_images(docker: None, pytestconfig: pytest.Config) -> None:  # noqa: ARG001
    """The whole service as a container, with training and without. It shows what it does, because it takes minutes."""
    with shown(pytestconfig):
        shell.run("make", "image")


def shown(pytestconfig: pytest.Config) -> AbstractContextManager[None]:
    """What is printed meanwhile is on the terminal at once."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    uncaptured: AbstractContextManager[None] = capture.global_and_fixture_disabled()
    return uncaptured


@pytest.fixture(scope="session")
def aws(
    images: None,  # noqa: ARG001
    environment: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Aws]:
    folder = tmp_path_factory.mktemp("aws")
    scratch = folder / "scratch"
    scratch.mkdir()
    scratch.chmod(0o777)  # The container's user is nobody here.
    with serve(
        [sys.executable, "-m", "moto.server"], host_address(), folder / "moto.log"
    ) as url:
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
    # Warm, as Lambda keeps them.
    with (
        sam.start_api("--warm-containers", "LAZY") as url,
        httpx.Client(base_url=url, timeout=60) as api,
    ):
        yield Cloud(api, aws, sam)


@pytest.fixture(scope="session")
def starter(cloud: Cloud) -> str:
    """The starter set as a dataset of the cloud's; its name."""
    converted = cloud.upload("starter", (ROOT / "data" / "starter.npz").read_bytes())
    assert converted["status"] == "converted", converted
    return "starter"
