"""Sizes as people read them."""

import math


def mebibytes(count: int) -> str:
    """A number of bytes, such as `1.01 MiB`: rounded up, so that a size over a limit looks like one.

    Example:
        >>> mebibytes(2**20 + 1)
        '1.01 MiB'
    """
    return f"{math.ceil(count / 2**20 * 100) / 100:,.4g} MiB"
