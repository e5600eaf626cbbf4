"""Reading documents: errors name the field, and unknown fields are ignored."""

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


WHOLE = Whole(
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
WHOLE_JSON = documents.to_json(WHOLE)


def parse(document: dict[str, Any]) -> Whole:
    data = json.dumps(document).encode()
    return documents.parse_document(data, Whole, "Whole")


def test_a_document_is_read_back() -> None:
    data = documents.to_bytes(WHOLE)
    assert documents.parse_document(data, Whole, "Whole") == WHOLE


def test_fields_of_a_newer_version_are_ignored() -> None:
    newer_parts = {"p": {"size": 3, "added": 2}}
    assert parse(WHOLE_JSON | {"added": 1, "parts": newer_parts}) == WHOLE


@pytest.mark.parametrize("field", ["anything", "count", "is_on", "schema_version"])
def test_a_field_that_an_older_version_lacks_has_its_default(field: str) -> None:
    older = WHOLE_JSON.copy()
    del older[field]
    assert getattr(parse(older), field) == getattr(Whole, field)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema version is 2, and this code reads 1"),
        ({"schema_version": "1"}, "schema version is '1'"),
        ({"name": 1}, "name: str is needed, not int"),
        ({"name": None}, "name: str is needed"),
        ({"created": "2026-01-31T00:00:00"}, "names no time zone"),
        ({"created": "yesterday"}, "created: "),
        ({"share": "0.5"}, "share: float is needed"),
        ({"share": True}, "share: float is needed"),
        ({"share": None}, "share: "),
        ({"count": True}, "count: int is needed"),
        ({"count": 1.0}, "count: int is needed"),
        ({"kind": "c"}, "'c' is not one of 'a', 'b'"),
        ({"kind": []}, "is not one of"),
        ({"parts": None}, "parts: dict is needed"),
        ({"parts": {"p": None}}, "parts: dict is needed"),
        ({"parts": {"p": {}}}, "the field 'size' is missing"),
        ({"tags": "t"}, "tags: list is needed"),
    ],
)
def test_an_error_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DamagedObjectError, match=f"Whole cannot be read: .*{message}"):
        parse(WHOLE_JSON | change)


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
def test_bytes_that_are_no_document_are_damaged(data: bytes) -> None:
    with pytest.raises(DamagedObjectError, match="Whole cannot be read"):
        documents.parse_document(data, Whole, "Whole")


SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.text(max_size=2)
)
JSON = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.text(max_size=2), SCALARS, max_size=2)
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(WHOLE_JSON)), JSON, max_size=3))
def test_any_json_is_read_or_damaged(change: dict[str, Any]) -> None:
    try:
        whole = parse(WHOLE_JSON | change)
    except DamagedObjectError:
        return
    assert type(whole.share) is float
    assert whole.created.tzinfo is not None
