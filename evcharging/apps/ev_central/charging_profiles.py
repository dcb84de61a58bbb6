"""Charging profiles kept to be sent: each is what the standard calls a ChargingProfile, checked when it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evcharging.apps.ev_central.ocpp_errors import InvalidValue, UnknownChargingProfile
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.ocpp.errors import CallRejected
from evcharging.ocpp.schemas import check_definition
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.simulator import stations
from evcharging.store.simulator.stations import ProfileRow

__all__ = ["ChargingProfiles"]

PROFILE_FIELDS = {OcppVersion.V16: "csChargingProfiles", OcppVersion.V201: "chargingProfile"}


class ChargingProfiles:
    """The charging profiles there are.

    Raises, from every method: `DatabaseUnavailable`; nothing was done then, and the caller may ask again.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def profiles(self, *, after: int | None = None, limit: int) -> Sequence[ProfileRow]:
        """Charging profiles by id."""
        async with self._transactions.database.read() as transaction:
            return await stations.list_profiles(transaction, after=after, limit=limit)

    async def profile(self, profile_id: int) -> ProfileRow:
        """One charging profile.

        Raises:
            UnknownChargingProfile
        """
        async with self._transactions.database.read() as transaction:
            row = await stations.find_profile(transaction, profile_id)
        if row is None:
            raise UnknownChargingProfile(profile_id)
        return row

    async def add_profile(self, description: str, profile: dict[str, Any]) -> ProfileRow:
        """Keep a charging profile.

        Raises:
            InvalidValue: it is none by the standard's schema.
        """
        version = _checked(profile)
        async with self._transactions.begin() as work:
            return await stations.add_profile(
                work.transaction, description=description, ocpp_version=version.value, profile=profile, now=work.now
            )

    async def change_profile(self, profile_id: int, description: str, profile: dict[str, Any]) -> ProfileRow:
        """Replace a charging profile that is kept. Stations that have it keep what they have.

        Raises:
            UnknownChargingProfile
            InvalidValue: it is none by the standard's schema.
        """
        version = _checked(profile)
        async with self._transactions.begin() as work:
            row = await stations.find_profile(work.transaction, profile_id)
            if row is None:
                raise UnknownChargingProfile(profile_id)
            row.description, row.profile, row.ocpp_version = description, profile, version.value
            row.changed_at = work.now
            await stations.change_profile(work.transaction, row)
        return row

    async def delete_profile(self, profile_id: int) -> None:
        """Drop a charging profile.

        Raises:
            UnknownChargingProfile
        """
        async with self._transactions.begin() as work:
            if await stations.find_profile(work.transaction, profile_id) is None:
                raise UnknownChargingProfile(profile_id)
            await stations.delete_profile(work.transaction, profile_id)


def _checked(profile: dict[str, Any]) -> OcppVersion:
    """The version of the standard whose ChargingProfile this is: 1.6 calls its id chargingProfileId, 2.0.1 id.

    Raises:
        InvalidValue: it is not what the SetChargingProfile request of that version takes.
    """
    version = OcppVersion.V201 if "id" in profile and "chargingProfileId" not in profile else OcppVersion.V16
    try:
        check_definition(version, "SetChargingProfile", PROFILE_FIELDS[version], profile)
    except CallRejected as error:
        where, _, detail = error.description.partition(": ")
        pointer = "#/profile" if where in ("payload", "") else f"#/profile/{where.replace('.', '/')}"
        raise InvalidValue(pointer, detail or error.description) from None
    return version
