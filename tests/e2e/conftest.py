"""The service that the browser looks at."""

from collections.abc import Iterator

import pytest

from tests.integration.conftest import Service


@pytest.fixture(scope="session")
def service_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = Service(tmp_path_factory.mktemp("service"))
    yield str(running.client.base_url)
    running.stop()
    running.client.close()
