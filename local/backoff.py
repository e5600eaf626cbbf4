"""How long to leave alone what has just failed."""


def exponential_delay(failures: int, first: float, longest: float) -> float:
    """Seconds until the next try: `first` after one failure, twice as long after each further one, up to `longest`."""
    return min(first * 2.0 ** min(failures - 1, 60), longest)
