"""Sizes in words."""

import math


def mebibytes(count: int) -> str:
    """A number of bytes in mebibytes, rounded up, so that a size over a limit looks larger.

    Example:
        >>> mebibytes(2**20 + 1)
        '1.01 MiB'
    """
    hundredths = math.ceil(count / 2**20 * 100)
    return f"{hundredths / 100:,.4g} MiB"
