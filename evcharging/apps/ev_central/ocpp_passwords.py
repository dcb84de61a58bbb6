"""Passwords that stations are given over OCPP, and that their registrations then follow.

The old one holds for a while too: a station may have taken the new one and lose it, or use it only once it has booted
(OCPP 1.6 security whitepaper and 2.0.1 part 2, A01: until the station is back with the new one). A password that an
operator gives to the registration itself replaces the old one at once.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import SecretStr

from evcharging.apps.ev_central.engines import announce_id, engines_among
from evcharging.apps.ev_central.work import Work
from evcharging.store.simulator.stations import find_station, save_station

__all__ = ["follow_password", "password_given", "password_taken"]

TAKEN: Final = ("Accepted", "RebootRequired")


def password_given(action: str, payload: dict[str, Any]) -> SecretStr | None:
    """The password that a call has a station use from now on; None where it has none. The payload may be anything."""
    if action == "ChangeConfiguration" and _is_named(payload.get("key"), "AuthorizationKey"):
        return _secret(payload.get("value"))
    if action == "SetVariables":
        variables = payload.get("setVariableData")
        for data in variables if isinstance(variables, list) else ():
            if isinstance(data, dict) and _is_password(data) and data.get("attributeType", "Actual") == "Actual":
                return _secret(data.get("attributeValue"))
    return None


def password_taken(action: str, response: dict[str, Any]) -> bool:
    """Whether the station says, in answer to a call that has a password, that it will use it."""
    if action == "ChangeConfiguration":
        return response.get("status") in TAKEN
    results = [result for result in response.get("setVariableResult", ()) if _is_password(result)]
    return any(
        result.get("attributeStatus") in TAKEN and result.get("attributeType", "Actual") == "Actual"
        for result in results
    )


async def follow_password(work: Work, cp_id: str, password_hash: str) -> None:
    """Have a registration that has a password go by the new one; a station without one is not asked for it."""
    row = await find_station(work.transaction, cp_id)
    if row is None or row.password_hash is None:
        return
    row.password_hash, row.changed_at = password_hash, work.now
    await save_station(work.transaction, row)
    await work.load(cp_ids=[cp_id])
    held_by_engine = bool(engines_among(work, [cp_id]))
    announce_id(work, cp_id, row, held_by_engine=held_by_engine, old_password_holds=True)


def _is_password(data: dict[str, Any]) -> bool:
    parts = [data.get(name) for name in ("component", "variable")]
    names = [part.get("name") if isinstance(part, dict) else None for part in parts]
    return _is_named(names[0], "SecurityCtrlr") and _is_named(names[1], "BasicAuthPassword")


def _is_named(name: object, expected: str) -> bool:
    """Whatever the case of its letters, as OCPP compares names."""
    return isinstance(name, str) and name.casefold() == expected.casefold()


def _secret(value: object) -> SecretStr | None:
    return SecretStr(value) if isinstance(value, str) and value else None
