"""What is kept of calls to a 2.0.1 station, once it has answered, and of its reports: what it now holds.

A variable of the device model is kept as a configuration key, see `evcharging.ocpp.configuration_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from evcharging.apps.ocpp_gateway.dialect import Payload
from evcharging.apps.ocpp_gateway.id_tokens_v201 import id_tag_of
from evcharging.apps.ocpp_gateway.records_v16 import REQUESTED, without_credentials
from evcharging.apps.ocpp_gateway.writes import Effect, Work
from evcharging.ocpp.configuration_names import is_secret, variable_name
from evcharging.ocpp.timestamps import parse_timestamp
from evcharging.store.gateway import records
from evcharging.store.gateway.records import LocalListEntry

__all__ = ["note_report", "record_of", "settle_reservation", "variable_key"]

Recorder: TypeAlias = Callable[[str, Payload, Payload], Effect[None] | None]
ACCEPTED: Final = "Accepted"
TAKEN: Final = ("Accepted", "RebootRequired")
LONGEST_KEY: Final = 255


def record_of(cp_id: str, action: str, request: Payload, response: Payload) -> Effect[None] | None:
    """The effect of a call on what is kept, None where it has none."""
    recorder = _RECORDERS.get(action)
    return None if recorder is None else recorder(cp_id, request, response)


def note_report(cp_id: str, report: Iterable[Payload]) -> Effect[None] | None:
    """Keep the variables of a NotifyReport; None where it names none that has a value."""
    rows = []
    for data in report:
        for attribute in data["variableAttribute"]:
            if attribute.get("type", "Actual") == "Actual":
                row = _row(data, attribute.get("value"), readonly=attribute.get("mutability") == "ReadOnly")
                rows.append(row)
    return _note_variables(cp_id, rows)


def settle_reservation(cp_id: str, reservation_id: int, status: str) -> Effect[None]:
    """A station says that a reservation is over: Expired or Removed."""

    async def effect(work: Work) -> None:
        word = records.CANCELLED if status == "Removed" else records.EXPIRED
        await records.settle_reservation(work.transaction, cp_id, reservation_id, status=word, now=work.now)

    return effect


def variable_key(data: Payload) -> str:
    """The configuration key of a component's variable."""
    return variable_name(data)[:LONGEST_KEY]


def _row(data: Payload, value: str | None, *, readonly: bool = False, reboot_required: bool = False) -> Payload:
    return {
        "key": variable_key(data),
        "value": None if is_secret(data["variable"]["name"]) else value,
        "readonly": readonly,
        "reboot_required": reboot_required,
    }


def _note_variables(cp_id: str, rows: Iterable[Payload]) -> Effect[None] | None:
    by_key = {row["key"]: row for row in rows}
    if not by_key:
        return None

    async def effect(work: Work) -> None:
        await records.note_configuration(work.transaction, cp_id, list(by_key.values()), work.now)

    return effect


def _get_variables(cp_id: str, _request: Payload, response: Payload) -> Effect[None] | None:
    told = [
        _row(result, result.get("attributeValue"))
        for result in response["getVariableResult"]
        if result["attributeStatus"] == ACCEPTED and result.get("attributeType", "Actual") == "Actual"
    ]
    return _note_variables(cp_id, told)


def _set_variables(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    status = {variable_key(result): result["attributeStatus"] for result in response["setVariableResult"]}
    taken = [
        _row(data, data["attributeValue"], reboot_required=status[variable_key(data)] == "RebootRequired")
        for data in request["setVariableData"]
        if data.get("attributeType", "Actual") == "Actual" and status.get(variable_key(data)) in TAKEN
    ]
    return _note_variables(cp_id, taken)


def _reserve_now(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] != ACCEPTED:
        return None

    async def effect(work: Work) -> None:
        await records.reserve(
            work.transaction,
            cp_id=cp_id,
            reservation_id=request["id"],
            connector_id=request.get("evseId", 0),
            id_tag=request["idToken"]["idToken"],
            parent_id_tag=id_tag_of(request.get("groupIdToken")),
            expires_at=parse_timestamp(request["expiryDateTime"], field="expiryDateTime"),
            now=work.now,
        )

    return effect


def _cancel_reservation(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    return settle_reservation(cp_id, request["reservationId"], "Removed") if response["status"] == ACCEPTED else None


def _send_local_list(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] != ACCEPTED:
        return None
    entries = [_entry(item) for item in request.get("localAuthorizationList", ())]

    async def effect(work: Work) -> None:
        await records.change_local_list(
            work.transaction,
            cp_id,
            version=request["versionNumber"],
            entries=entries,
            replace=request["updateType"] == "Full",
            now=work.now,
        )

    return effect


def _entry(item: Payload) -> LocalListEntry:
    id_tag = item["idToken"]["idToken"]
    info = item.get("idTokenInfo")
    if info is None:
        return LocalListEntry(id_tag, None)
    expiry = info.get("cacheExpiryDateTime")
    return LocalListEntry(
        id_tag,
        info["status"],
        None if expiry is None else parse_timestamp(expiry, field="cacheExpiryDateTime"),
        id_tag_of(info.get("groupIdToken")),
    )


def _get_local_list_version(cp_id: str, _request: Payload, response: Payload) -> Effect[None]:
    async def effect(work: Work) -> None:
        await records.note_list_version(work.transaction, cp_id, response["versionNumber"], work.now)

    return effect


def _set_charging_profile(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] != ACCEPTED:
        return None
    profile: Payload = request["chargingProfile"]

    async def effect(work: Work) -> None:
        await records.install_profile(
            work.transaction,
            cp_id=cp_id,
            profile_id=profile["id"],
            connector_id=request["evseId"],
            stack_level=profile["stackLevel"],
            purpose=profile["chargingProfilePurpose"],
            transaction_id=profile.get("transactionId"),
            profile=profile,
            now=work.now,
        )

    return effect


def _clear_charging_profile(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] != ACCEPTED:
        return None
    criteria = request.get("chargingProfileCriteria", {})

    async def effect(work: Work) -> None:
        await records.remove_profiles(
            work.transaction,
            cp_id,
            profile_id=request.get("chargingProfileId"),
            connector_id=criteria.get("evseId"),
            purpose=criteria.get("chargingProfilePurpose"),
            stack_level=criteria.get("stackLevel"),
        )

    return effect


def _get_log(cp_id: str, request: Payload, response: Payload) -> Effect[None]:
    location = request["log"]["remoteLocation"]
    return _maintenance(cp_id, "diagnostics", location, response["status"], file_name=response.get("filename"))


def _update_firmware(cp_id: str, request: Payload, response: Payload) -> Effect[None]:
    return _maintenance(cp_id, "firmware", request["firmware"]["location"], response["status"], file_name=None)


def _maintenance(cp_id: str, kind: str, location: str, status: str, *, file_name: str | None) -> Effect[None]:
    async def effect(work: Work) -> None:
        await records.note_maintenance(
            work.transaction,
            cp_id,
            kind,
            status=REQUESTED if status == ACCEPTED else status,
            now=work.now,
            location=without_credentials(location)[:512],
            file_name=file_name,
            requested_at=work.now,
        )

    return effect


_RECORDERS: Final[dict[str, Recorder]] = {
    "CancelReservation": _cancel_reservation,
    "ClearChargingProfile": _clear_charging_profile,
    "GetLocalListVersion": _get_local_list_version,
    "GetLog": _get_log,
    "GetVariables": _get_variables,
    "ReserveNow": _reserve_now,
    "SendLocalList": _send_local_list,
    "SetChargingProfile": _set_charging_profile,
    "SetVariables": _set_variables,
    "UpdateFirmware": _update_firmware,
}
