"""Reading stored documents: what is wrong is said, and what is new is passed over."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digits import documents
from digits.errors import DamagedObjectError


@dataclass(frozen=True)
class Part:
    size: int


@dataclass(frozen=True)
class Whole:
    name: str
    created: datetime
    share: float
    kind: Literal["a", "b"]
    parts: dict[str, Part]
    tags: list[str]
    anything: Any = None
    count: int | None = None
    is_on: bool = False
    schema_version: int = 1


GOOD = Whole(
    "x",
    datetime(2026, 1, 31, tzinfo=UTC),
    0.5,
    "a",
    {"p": Part(3)},
    ["t"],
    {"any": [1]},
    7,
    is_on=True,
)


def test_a_document_is_read_back() -> None:
    assert documents.parse(documents.to_bytes(GOOD), Whole, "it") == GOOD


def test_what_a_newer_version_added_is_passed_over() -> None:
    newer = documents.to_json(GOOD) | {
        "added": 1,
        "parts": {"p": {"size": 3, "added": 2}},
    }
    assert documents.parse(json.dumps(newer).encode(), Whole, "it") == GOOD


@pytest.mark.parametrize("field", ["anything", "count", "is_on", "schema_version"])
def test_what_an_older_version_had_not_has_its_default(field: str) -> None:
    document = documents.to_json(GOOD)
    del document[field]
    assert getattr(
        documents.parse(json.dumps(document).encode(), Whole, "it"), field
    ) == getattr(Whole, field)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema version 2"),
        ({"schema_version": "1"}, "schema version '1'"),
        ({"name": 1}, "name: str is needed, not int"),
        ({"name": None}, "name: str is needed"),
        ({"created": "2026-01-31T00:00:00"}, "names no time zone"),
        ({"created": "yesterday"}, "created: "),
        ({"share": "0.5"}, "share: float is needed"),
        ({"share": True}, "share: float is needed"),
        ({"share": None}, "share: "),
        ({"count": True}, "count: int is needed"),
        ({"count": 1.0}, "count: int is needed"),
        ({"kind": "c"}, "'c' is none of 'a', 'b'"),
        ({"kind": []}, "is none of"),
        ({"parts": None}, "parts: dict is needed"),
        ({"parts": {"p": None}}, "parts: dict is needed"),
        ({"parts": {"p": {}}}, "the field 'size' is missing"),
        ({"tags": "t"}, "tags: list is needed"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], message: str) -> None:
    data = json.dumps(documents.to_json(GOOD) | change).encode()
    with pytest.raises(DamagedObjectError, match=f"it cannot be read: .*{message}"):
        documents.parse(data, Whole, "it")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"share": NaN}',
        b"[" * 100_000,
        b'{"anything": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"count": ' + b"1" * 5000 + b"}",
        b'{"share": 1e999}',
    ],
)
def test_what_is_no_document_is_damaged(data: bytes) -> None:
    with pytest.raises(DamagedObjectError, match="it cannot be read"):
        documents.parse(data, Whole, "it")


SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.text(max_size=2)
)
JSON = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.text(max_size=2), SCALARS, max_size=2)
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(list(documents.to_json(GOOD))), JSON, max_size=3)
)
def test_any_json_is_read_or_damaged(change: dict[str, Any]) -> None:
    data = json.dumps(documents.to_json(GOOD) | change).encode()
    try:
        found = documents.parse(data, Whole, "it")
    except DamagedObjectError:
        return
    assert type(found.share) is float
    assert found.created.tzinfo is not None
