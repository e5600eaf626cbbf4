"""Exponential backoff: the pause after a failure."""


def exponential_delay(failures: int, first: float, longest: float) -> float:
    """Seconds until the next try.

    Args:
        failures: the failures in a row, 0 or more.
        first: the delay after one failure. Each further failure doubles the delay.
        longest: the limit.
    """
    # A larger exponent could overflow a float.
    doublings = min(failures - 1, 60)
    return min(first * 2.0**doublings, longest)
