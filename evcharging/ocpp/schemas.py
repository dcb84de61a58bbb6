"""The standard's own JSON schemas, as the `ocpp` package carries them, compiled once at first use.

Validation is jsonschema-rs: 1 to 2 µs for a MeterValues request, where jsonschema takes hundreds. What chargers send is
not held to RFC 3339 here, since they leave the time zone out: `evcharging.ocpp.timestamps` reads it. What people ask of
chargers is.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

import jsonschema_rs

from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.versions import OcppVersion

__all__ = ["actions", "check_definition", "check_order", "check_request", "check_response"]

_FOLDERS = {OcppVersion.V16: "v16", OcppVersion.V201: "v201", OcppVersion.V21: "v21"}

_FAULTS = {
    "type": Fault.TYPE_CONSTRAINT,
    "format": Fault.TYPE_CONSTRAINT,
    "required": Fault.OCCURRENCE_CONSTRAINT,
    "minItems": Fault.OCCURRENCE_CONSTRAINT,
    "maxItems": Fault.OCCURRENCE_CONSTRAINT,
    "additionalProperties": Fault.FORMAT_VIOLATION,
}
"""By the schema's keyword; what is not listed (enum, maxLength, ranges) is a field with a value it may not have."""


def actions(version: OcppVersion) -> frozenset[str]:
    """Every action of that version, whoever initiates it."""
    return _actions(version)


def check_request(
    version: OcppVersion, action: str, payload: dict[str, Any], *, tolerate_unknown: bool = False
) -> None:
    """Return if ``payload`` is a request of ``action`` as the standard has it.

    Raises:
        CallRejected: it is not, or there is no such action; the description names the field.
    """
    schema = _REQUESTS.get((version, action))
    if schema is None:
        if action not in _actions(version):
            raise CallRejected(Fault.NOT_IMPLEMENTED, f"there is no action {action[:50]!r} in OCPP {version.value}")
        schema = _REQUESTS[version, action] = _load(version, action, request=True)
    if not schema.strict.is_valid(payload):
        schema.refuse(payload, tolerate_unknown)


def check_order(version: OcppVersion, action: str, payload: dict[str, Any]) -> None:
    """As `check_request`, for what somebody asks of a charger: a date and time must be one, with its zone.

    Raises:
        CallRejected: as there; the description says what was expected of a time.
    """
    check_request(version, action, payload)
    validator = _order_validator(version, action)
    if not validator.is_valid(payload):
        _raise_for(_worst(validator, payload))


def check_response(
    version: OcppVersion, action: str, payload: dict[str, Any], *, tolerate_unknown: bool = False
) -> None:
    """Return if ``payload`` is a response to ``action``.

    Raises:
        CallRejected: it is not; the description names the field.
    """
    schema = _RESPONSES.get((version, action))
    if schema is None:
        if action not in _actions(version):
            raise CallRejected(Fault.NOT_IMPLEMENTED, f"there is no action {action[:50]!r} in OCPP {version.value}")
        schema = _RESPONSES[version, action] = _load(version, action, request=False)
    if not schema.strict.is_valid(payload):
        schema.refuse(payload, tolerate_unknown)


def check_definition(version: OcppVersion, action: str, field: str, value: Any) -> None:
    """Return if ``value`` is what the request of ``action`` takes in its property ``field``.

    Raises:
        CallRejected: it is not; the description names the part.
    """
    validator = _field_validator(version, action, field)
    if not validator.is_valid(value):
        _raise_for(_worst(validator, value))


class _Schema(NamedTuple):
    strict: jsonschema_rs.Validator

    def refuse(self, payload: dict[str, Any], tolerate_unknown: bool) -> None:
        errors = [
            error
            for error in self.strict.iter_errors(payload)
            if not (tolerate_unknown and error.kind.name == "additionalProperties")
        ]
        if errors:
            _raise_for(min(errors, key=_rank))


_REQUESTS: dict[tuple[OcppVersion, str], _Schema] = {}
_RESPONSES: dict[tuple[OcppVersion, str], _Schema] = {}


def _raise_for(error: jsonschema_rs.ValidationError) -> None:
    where = ".".join(str(part) for part in error.instance_path) or "payload"
    if error.kind.name == "format":
        text = f"{where}: expected a date and time with its zone, as in 2026-01-31T12:00:00Z, got {error.instance!r}"
        raise CallRejected(Fault.TYPE_CONSTRAINT, text[:255])
    fault = _FAULTS.get(error.kind.name, Fault.PROPERTY_CONSTRAINT)
    raise CallRejected(fault, f"{where}: {error.message}"[:255])


def _worst(validator: jsonschema_rs.Validator, value: Any) -> jsonschema_rs.ValidationError:
    return min(validator.iter_errors(value), key=_rank)


def _rank(error: jsonschema_rs.ValidationError) -> int:
    """What is wrong most plainly comes first: an unknown field matters least."""
    return 1 if error.kind.name == "additionalProperties" else 0


def _load(version: OcppVersion, action: str, *, request: bool) -> _Schema:
    return _Schema(jsonschema_rs.validator_for(_read(version, action, request=request), validate_formats=False))


@cache
def _order_validator(version: OcppVersion, action: str) -> jsonschema_rs.Validator:
    return _with_times(_read(version, action, request=True))


def _with_times(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """Of the formats only times are checked: a place for files may be a URI that is relative."""
    return jsonschema_rs.validator_for(schema, validate_formats=True, formats={"uri": lambda _: True})


@cache
def _field_validator(version: OcppVersion, action: str, field: str) -> jsonschema_rs.Validator:
    schema = _read(version, action, request=True)
    part = {key: value for key, value in schema.items() if key in ("$schema", "definitions")}
    return _with_times({**part, **schema["properties"][field]})


def _read(version: OcppVersion, action: str, *, request: bool) -> dict[str, Any]:
    name = f"{action}Response.json" if not request else f"{action}{_request_suffix(version)}.json"
    text = (_folder(version) / name).read_text(encoding="utf-8-sig")
    schema: dict[str, Any] = json.loads(text)
    schema.pop("$id", None)  # a relative id has nothing to be resolved against
    schema.pop("id", None)
    return schema


@cache
def _actions(version: OcppVersion) -> frozenset[str]:
    suffix = f"{_request_suffix(version)}.json"
    names = {file.name for file in _folder(version).iterdir()}
    return frozenset(
        name.removesuffix(suffix)
        for name in names
        if name.endswith(suffix) and f"{name.removesuffix(suffix)}Response.json" in names
    )


def _request_suffix(version: OcppVersion) -> str:
    return "" if version is OcppVersion.V16 else "Request"


def _folder(version: OcppVersion) -> Traversable:
    # Not by the name of its subpackage: that would import a thousand dataclasses for a folder of JSON.
    return resources.files("ocpp") / _FOLDERS[version] / "schemas"
