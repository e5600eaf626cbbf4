"""Stored documents: JSON objects that are read into dataclasses, every field of its declared type.

Fields that a newer version of this code added are ignored, so that two versions can
work on one store. pydantic does the same and more, but importing pydantic would make a
cold start of predict a tenth longer.
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
# The schema version of a document that names no version.
_FIRST_VERSION = 1


def read_document(store: Store, key: str, kind: type[Document]) -> Document:
    """Read the document at a key.

    Raises:
        DamagedObjectError: the document is not as `kind` declares.
        MissingObjectError: the key is not in the store.
    """
    return parse_document(store.read(key), kind, key)


def parse_document(data: bytes, kind: type[Document], name: str) -> Document:
    """Parse a document.

    Args:
        data: JSON.
        kind: a dataclass. The fields may be str, int, float, bool, datetime, Any,
            dataclasses, and literals, lists, dicts and optionals. A field
            `schema_version` must have the dataclass's default; a document without the
            field has version 1.
        name: what to call the document in a message.

    Raises:
        DamagedObjectError: `data` is not JSON, or not as `kind` declares.
    """
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
        document: Document = _convert(value, kind)
    except (ValueError, RecursionError) as error:
        raise DamagedObjectError(f"{name} cannot be read: {error}.") from error
    return document


def to_bytes(document: Any) -> bytes:
    """Serialise a dataclass as JSON that `parse_document` reads."""
    return json.dumps(to_json(document), indent=2).encode() + b"\n"


def to_json(document: Any) -> dict[str, Any]:
    """Convert a dataclass to a JSON object, with times in ISO 8601."""
    return {name: _to_plain(value) for name, value in asdict(document).items()}


def _to_plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _convert(value: Any, kind: Any) -> Any:
    """The value as `kind`.

    Raises:
        ValueError: the value is not of this kind.
    """
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _to_dataclass(value, kind)
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    convert_generic = _GENERIC.get(get_origin(kind))
    if convert_generic:
        return convert_generic(value, get_args(kind))
    return _check_type(value, kind)


def _to_dataclass(value: Any, kind: Any) -> Any:
    document = _check_type(value, dict)
    _check_schema_version(document, kind)
    arguments = {}
    for field in fields(kind):
        if field.name in document:
            arguments[field.name] = _convert_field(document[field.name], field)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"the field {field.name!r} is missing")
    return kind(**arguments)


def _convert_field(value: Any, field: Field[Any]) -> Any:
    try:
        return _convert(value, field.type)
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from error


def _check_schema_version(document: dict[str, Any], kind: Any) -> None:
    """Check the version before the fields: another version may have other fields."""
    expected = getattr(kind, _SCHEMA_VERSION, None)
    if expected is None:
        return
    version = document.get(_SCHEMA_VERSION, _FIRST_VERSION)
    if version != expected:
        raise ValueError(
            f"the schema version is {version!r}, and this code reads {expected}"
        )


def _to_datetime(value: Any) -> datetime:
    moment = datetime.fromisoformat(_check_type(value, str))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} names no time zone")
    return moment


def _to_float(value: Any) -> float:
    # A whole float may have been written as an integer.
    number = float(value) if type(value) is int else _check_type(value, float)
    if not math.isfinite(number):
        raise ValueError("a finite number is needed")
    return float(number)


def _to_optional(value: Any, kinds: tuple[Any, ...]) -> Any:
    if value is None and NoneType in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not NoneType)
    return _convert(value, kind)


def _to_dict(value: Any, kinds: tuple[Any, ...]) -> dict[Any, Any]:
    key_kind, item_kind = kinds
    document = {}
    for key, item in _check_type(value, dict).items():
        document[_convert(key, key_kind)] = _convert(item, item_kind)
    return document


def _to_list(value: Any, kinds: tuple[Any, ...]) -> list[Any]:
    (kind,) = kinds
    return [_convert(item, kind) for item in _check_type(value, list)]


def _check_literal(value: Any, values: tuple[Any, ...]) -> Any:
    if value not in values:
        choices = ", ".join(map(repr, values))
        raise ValueError(f"{value!r} is not one of {choices}")
    return value


def _check_type(value: Any, kind: Any) -> Any:
    # isinstance would take true for an int.
    if type(value) is not kind:
        raise ValueError(f"{kind.__name__} is needed, not {type(value).__name__}")
    return value


_PLAIN: dict[Any, Callable[[Any], Any]] = {datetime: _to_datetime, float: _to_float}
_GENERIC: dict[Any, Callable[[Any, tuple[Any, ...]], Any]] = {
    dict: _to_dict,
    list: _to_list,
    Literal: _check_literal,
    Union: _to_optional,
    UnionType: _to_optional,
}
