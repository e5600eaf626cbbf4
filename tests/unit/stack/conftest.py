"""The stack with the default parameters of the template."""

import pytest

from tests.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    return Stack()
