"""The stack with the template's own defaults."""

import pytest

from tests.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    return Stack()
