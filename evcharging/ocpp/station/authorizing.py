"""Cards at a station: what the list, the cache and the CSMS say about them, and what the station makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evcharging.domain.authorization import (
    INVALID,
    AuthStatus,
    IdTagInfo,
    Step,
    Verdict,
    decide_remote_start,
    decide_start,
    decide_stop,
    stop_allowed,
)
from evcharging.ocpp.errors import CallFailed, InvalidAnswer, OcppError
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.interfaces import TransactionRecord

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station


class Authorizing:
    """Decides about cards, asking the CSMS where the rules want it."""

    __slots__ = ("_station",)

    def __init__(self, station: Station) -> None:
        self._station = station

    async def to_start(self, id_tag: str, *, remote: bool = False) -> IdTagInfo | None:
        """Return what is known of a card that may start a session, None for one that may not."""
        station = self._station
        decide = decide_remote_start if remote else decide_start
        verdict = decide(
            id_tag,
            online=station.online,
            now_s=station.clock.now_s(),
            known=station.authorization.known,
            rules=station.parameters.authorization,
        )
        info = await self._follow(id_tag, verdict)
        if info is None or not (info.accepted or verdict.step is Step.ACCEPT):
            station.log(wording.refused(id_tag, "Invalid" if info is None else info.status.value))
            return None
        if not remote or station.parameters.authorization.authorize_remote_tx_requests:
            station.log(wording.authorized(id_tag))
        return info

    async def to_stop(self, id_tag: str, record: TransactionRecord) -> bool:
        """Return whether a card may stop a transaction."""
        station = self._station
        verdict = decide_stop(
            id_tag,
            started_by=record.id_tag,
            parent_id_tag=record.parent_id_tag,
            online=station.online,
            now_s=station.clock.now_s(),
            known=station.authorization.known,
        )
        if verdict.step is Step.ACCEPT:
            return True
        info = await self._follow(id_tag, verdict)
        allowed = info is not None and stop_allowed(info, record.parent_id_tag)
        if not allowed:
            station.log(wording.refused(id_tag, "Invalid" if info is None else info.status.value))
        return allowed

    async def _follow(self, id_tag: str, verdict: Verdict) -> IdTagInfo | None:
        """Return what holds for a card after a verdict; None where it is refused for want of knowledge."""
        if verdict.step is Step.ASK:
            return await self._ask(id_tag)
        if verdict.step is Step.ACCEPT:
            return verdict.info or IdTagInfo(AuthStatus.ACCEPTED)
        return verdict.info if verdict.info is not None and not verdict.info.accepted else None

    async def _ask(self, id_tag: str) -> IdTagInfo | None:
        """Ask the CSMS; where it cannot be reached after all, decide without it."""
        station = self._station
        try:
            info = station.wire.read_authorization(await station.link.call(station.wire.authorize(id_tag)))
        except (CallFailed, InvalidAnswer):
            return INVALID
        except OcppError:
            offline = decide_start(
                id_tag,
                online=False,
                now_s=station.clock.now_s(),
                known=station.authorization.known,
                rules=station.parameters.authorization,
            )
            return await self._follow(id_tag, offline)
        station.authorization.remember(id_tag, info)
        return info
