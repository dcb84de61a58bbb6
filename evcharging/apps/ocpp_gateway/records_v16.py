"""What is kept of calls to a 1.6 station, once it has answered: what it now holds, as far as its answer says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from evcharging.apps.ocpp_gateway.dialect import Payload
from evcharging.apps.ocpp_gateway.writes import Effect, Work
from evcharging.ocpp.configuration_names import is_secret
from evcharging.ocpp.timestamps import parse_timestamp
from evcharging.store.gateway import records
from evcharging.store.gateway.records import LocalListEntry

__all__ = ["record_of"]

Recorder: TypeAlias = Callable[[str, Payload, Payload], Effect[None] | None]
ACCEPTED: Final = ("Accepted",)
TAKEN: Final = ("Accepted", "RebootRequired")
REQUESTED: Final = "Requested"


def record_of(cp_id: str, action: str, request: Payload, response: Payload) -> Effect[None] | None:
    """The effect of a call on what is kept, None where it has none."""
    recorder = _RECORDERS.get(action)
    return None if recorder is None else recorder(cp_id, request, response)


def _reserve_now(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] not in ACCEPTED:
        return None

    async def effect(work: Work) -> None:
        await records.reserve(
            work.transaction,
            cp_id=cp_id,
            reservation_id=request["reservationId"],
            connector_id=request["connectorId"],
            id_tag=request["idTag"],
            parent_id_tag=request.get("parentIdTag"),
            expires_at=parse_timestamp(request["expiryDate"], field="expiryDate"),
            now=work.now,
        )

    return effect


def _cancel_reservation(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] not in ACCEPTED:
        return None

    async def effect(work: Work) -> None:
        await records.settle_reservation(
            work.transaction, cp_id, request["reservationId"], status=records.CANCELLED, now=work.now
        )

    return effect


def _send_local_list(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] not in ACCEPTED:
        return None
    entries = [_entry(item) for item in request.get("localAuthorizationList", ())]

    async def effect(work: Work) -> None:
        await records.change_local_list(
            work.transaction,
            cp_id,
            version=request["listVersion"],
            entries=entries,
            replace=request["updateType"] == "Full",
            now=work.now,
        )

    return effect


def _entry(item: Payload) -> LocalListEntry:
    info = item.get("idTagInfo")
    if info is None:
        return LocalListEntry(item["idTag"], None)
    expiry = info.get("expiryDate")
    return LocalListEntry(
        item["idTag"],
        info["status"],
        None if expiry is None else parse_timestamp(expiry, field="expiryDate"),
        info.get("parentIdTag"),
    )


def _get_local_list_version(cp_id: str, _request: Payload, response: Payload) -> Effect[None]:
    async def effect(work: Work) -> None:
        await records.note_list_version(work.transaction, cp_id, response["listVersion"], work.now)

    return effect


def _get_configuration(cp_id: str, _request: Payload, response: Payload) -> Effect[None]:
    keys = [
        {
            "key": entry["key"],
            "value": None if is_secret(entry["key"]) else entry.get("value"),
            "readonly": entry["readonly"],
            "reboot_required": False,
        }
        for entry in response.get("configurationKey", ())
    ]

    async def effect(work: Work) -> None:
        await records.note_configuration(work.transaction, cp_id, keys, work.now)

    return effect


def _change_configuration(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] not in TAKEN:
        return None
    row = {
        "key": request["key"],
        "value": None if is_secret(request["key"]) else request["value"],
        "readonly": False,
        "reboot_required": response["status"] == "RebootRequired",
    }

    async def effect(work: Work) -> None:
        await records.note_configuration(work.transaction, cp_id, [row], work.now)

    return effect


def _set_charging_profile(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] not in ACCEPTED:
        return None
    profile: Payload = request["csChargingProfiles"]
    transaction_id = profile.get("transactionId")

    async def effect(work: Work) -> None:
        await records.install_profile(
            work.transaction,
            cp_id=cp_id,
            profile_id=profile["chargingProfileId"],
            connector_id=request["connectorId"],
            stack_level=profile["stackLevel"],
            purpose=profile["chargingProfilePurpose"],
            transaction_id=None if transaction_id is None else str(transaction_id),
            profile=profile,
            now=work.now,
        )

    return effect


def _clear_charging_profile(cp_id: str, request: Payload, response: Payload) -> Effect[None] | None:
    if response["status"] not in ACCEPTED:
        return None

    async def effect(work: Work) -> None:
        await records.remove_profiles(
            work.transaction,
            cp_id,
            profile_id=request.get("id"),
            connector_id=request.get("connectorId"),
            purpose=request.get("chargingProfilePurpose"),
            stack_level=request.get("stackLevel"),
        )

    return effect


def _get_diagnostics(cp_id: str, request: Payload, response: Payload) -> Effect[None]:
    return _maintenance(cp_id, "diagnostics", request["location"], file_name=response.get("fileName"))


def _update_firmware(cp_id: str, request: Payload, _response: Payload) -> Effect[None]:
    return _maintenance(cp_id, "firmware", request["location"], file_name=None)


def _maintenance(cp_id: str, kind: str, location: str, *, file_name: str | None) -> Effect[None]:
    async def effect(work: Work) -> None:
        await records.note_maintenance(
            work.transaction,
            cp_id,
            kind,
            status=REQUESTED,
            now=work.now,
            location=without_credentials(location)[:512],
            file_name=file_name,
            requested_at=work.now,
        )

    return effect


def _data_transfer(cp_id: str, request: Payload, response: Payload) -> Effect[None]:
    async def effect(work: Work) -> None:
        await records.note_data_transfer(
            work.transaction,
            cp_id=cp_id,
            direction="out",
            vendor_id=request["vendorId"],
            message_id=request.get("messageId"),
            data=request.get("data"),
            status=response["status"],
            answer=response.get("data"),
            at=work.now,
        )

    return effect


def without_credentials(location: str) -> str:
    """A URL without the user and password that it may carry."""
    scheme, mark, rest = location.partition("://")
    authority, slash, path = rest.partition("/")
    return location if "@" not in authority else f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"


_RECORDERS: Final[dict[str, Recorder | Any]] = {
    "CancelReservation": _cancel_reservation,
    "ChangeConfiguration": _change_configuration,
    "ClearChargingProfile": _clear_charging_profile,
    "DataTransfer": _data_transfer,
    "GetConfiguration": _get_configuration,
    "GetDiagnostics": _get_diagnostics,
    "GetLocalListVersion": _get_local_list_version,
    "ReserveNow": _reserve_now,
    "SendLocalList": _send_local_list,
    "SetChargingProfile": _set_charging_profile,
    "UpdateFirmware": _update_firmware,
}
