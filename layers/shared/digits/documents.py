"""The one way in which stored documents are read: JSON objects into dataclasses, every field of its declared type.

Fields that a newer version of this code added are passed over, so that two versions can
work on one store. pydantic and its like do the same and more; importing them would make
a cold start of predict a tenth longer.
"""

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin

from digits.errors import DamagedObjectError
from digits.store import Store

Document = TypeVar("Document")
_SCHEMA_VERSION = "schema_version"


def read(store: Store, key: str, kind: type[Document]) -> Document:
    """The document at a key.

    Raises:
        DamagedObjectError: it is not as `kind` declares.
        MissingObjectError: there is none.
    """
    return parse(store.read(key), kind, key)


def parse(data: bytes, kind: type[Document], name: str) -> Document:
    """The document in `data`.

    Args:
        data: JSON.
        kind: a dataclass. Its fields are of str, int, float, bool, datetime, Any,
            dataclasses, and of literals, lists, dicts and optionals. A field
            `schema_version` must have its default; a document without one has version
            1.
        name: what to call the document in a message.

    Raises:
        DamagedObjectError: the bytes are not JSON, or not as `kind` declares.
    """
    try:
        found: Document = _convert(
            json.loads(data, parse_constant=_refuse_constant), kind
        )
    except (ValueError, RecursionError) as error:
        raise DamagedObjectError(f"{name} cannot be read: {error}.") from error
    return found


def to_bytes(document: Any) -> bytes:
    """A dataclass as JSON that `parse` reads."""
    return json.dumps(to_json(document), indent=2).encode() + b"\n"


def to_json(document: Any) -> dict[str, Any]:
    """A dataclass as a JSON object; times are in ISO 8601."""
    return {name: _plain(value) for name, value in asdict(document).items()}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _convert(value: Any, kind: Any) -> Any:
    """The value as `kind`.

    Raises:
        ValueError: it is something else.
    """
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _to_dataclass(value, kind)
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    generic = _GENERIC.get(get_origin(kind))
    return generic(value, get_args(kind)) if generic else _instance(value, kind)


def _to_dataclass(value: Any, kind: Any) -> Any:
    document = _instance(value, dict)
    _check_schema_version(document, kind)
    found = {}
    for field in fields(kind):
        if field.name in document:
            found[field.name] = _convert_field(document[field.name], field)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"the field {field.name!r} is missing")
    return kind(**found)


def _convert_field(value: Any, field: Field[Any]) -> Any:
    try:
        return _convert(value, field.type)
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from error


def _check_schema_version(document: dict[str, Any], kind: Any) -> None:
    """See that a document is of the version that this code reads, before its fields are looked at."""
    expected = getattr(kind, _SCHEMA_VERSION, None)
    found = document.get(_SCHEMA_VERSION, 1)
    if expected is not None and found != expected:
        raise ValueError(
            f"it has schema version {found!r}, and this code reads {expected}"
        )


def _to_datetime(value: Any) -> datetime:
    found = datetime.fromisoformat(_instance(value, str))
    if found.tzinfo is None:
        raise ValueError(f"{value!r} names no time zone")
    return found


def _to_float(value: Any) -> float:
    # A float that happens to be whole may have been written as an integer.
    found = float(value) if type(value) is int else _instance(value, float)
    if not math.isfinite(found):
        raise ValueError("a finite number is needed")
    return float(found)


def _to_optional(value: Any, kinds: tuple[Any, ...]) -> Any:
    if value is None and NoneType in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not NoneType)
    return _convert(value, kind)


def _to_dict(value: Any, kinds: tuple[Any, ...]) -> dict[Any, Any]:
    items = _instance(value, dict).items()
    return {_convert(key, kinds[0]): _convert(item, kinds[1]) for key, item in items}


def _to_list(value: Any, kinds: tuple[Any, ...]) -> list[Any]:
    return [_convert(item, kinds[0]) for item in _instance(value, list)]


def _one_of(value: Any, values: tuple[Any, ...]) -> Any:
    if value not in values:
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, values))}")
    return value


def _instance(value: Any, kind: Any) -> Any:
    # By type, since true is an int for isinstance.
    if type(value) is not kind:
        raise ValueError(f"{kind.__name__} is needed, not {type(value).__name__}")
    return value


_PLAIN: dict[Any, Callable[[Any], Any]] = {datetime: _to_datetime, float: _to_float}
_GENERIC: dict[Any, Callable[[Any, tuple[Any, ...]], Any]] = {
    dict: _to_dict,
    list: _to_list,
    Literal: _one_of,
    Union: _to_optional,
    UnionType: _to_optional,
}
