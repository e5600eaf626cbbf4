"""Many requests to the store at a time, for lists: one after the other they would take as long as their sum."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# S3 answers one request in some 30 ms, so hundreds in a second.
_THREADS = 50


def each(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """What the function returns for each item, in their order. The first exception is raised."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(function, items))


def both(
    first: Callable[[], Item], second: Callable[[], Result]
) -> tuple[Item, Result]:
    """What two functions return that run at the same time."""
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(second)
        return first(), other.result()
