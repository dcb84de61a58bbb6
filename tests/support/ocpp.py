"""An OCPP station as the bus shows it: what the gateway publishes for one, scripted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import ConnectorDetail, Status, StatusDetail, StatusSource, Telemetry
from evcharging.messages.topics import STATUS, TELEMETRY
from tests.support.central import CentralRig, a_moment

ACTIVATED, SUPPLYING, DISCONNECTED = (
    ChargePointState.ACTIVATED,
    ChargePointState.SUPPLYING,
    ChargePointState.DISCONNECTED,
)


class Station:
    """Speaks for one station; every status lists all its connectors, as the gateway's do."""

    def __init__(self, rig: CentralRig, cp_id: str = "ST-1", *, connectors: int = 1, version: str = "1.6") -> None:
        self.rig = rig
        self.cp_id = cp_id
        self.version = version
        self.connectors: dict[int, dict[str, Any]] = {
            number: {"state": ACTIVATED, "session_id": None, "ocpp_status": None} for number in range(connectors + 1)
        }
        self._said = 0

    async def boots(self) -> None:
        """Come up, and wait until Central knows."""
        await self.says(0, ACTIVATED, reason="boot")
        while (await self.rig.known_states()).get(self.cp_id) != "ACTIVATED":
            await a_moment()

    async def says(
        self, connector_id: int, state: ChargePointState, *, event_id: str | None = None, **more: Any
    ) -> None:
        """A plain change of a connector."""
        self.connectors[connector_id].update(
            state=state, ocpp_status=more.pop("ocpp_status", None), id_tag=more.pop("kept_for", None)
        )
        await self._publish(connector_id, state, event_id=event_id, **more)

    async def begins(
        self, session_id: str, connector_id: int = 1, *, late: bool = False, event_id: str | None = None, **detail: Any
    ) -> None:
        """A transaction; ``late`` is one of the past, which the connector no longer has."""
        if not late:
            self.connectors[connector_id].update(state=SUPPLYING, session_id=session_id)
        detail.setdefault("register_start_wh", 1000.0)
        await self._publish(connector_id, SUPPLYING, session_id=session_id, event_id=event_id, detail=detail)

    async def ends(
        self, session_id: str, last_seq: int, connector_id: int = 1, *, reason: str = "local_stop", **detail: Any
    ) -> None:
        """The end of a transaction."""
        if self.connectors[connector_id]["session_id"] == session_id:
            self.connectors[connector_id].update(state=ACTIVATED, session_id=None)
        detail["last_seq"] = last_seq
        state = self.connectors[connector_id]["state"]  # which another session may have by now
        await self._publish(connector_id, state, session_id=session_id, reason=reason, detail=detail)

    async def meters(
        self,
        session_id: str,
        seq: int,
        *,
        energy_wh: float = 100.0,
        connector_id: int = 1,
        began: datetime | None = None,
        **more: Any,
    ) -> None:
        """One interval of a minute; ``began`` is when the session did."""
        start = (began or self.rig.clock()) + timedelta(minutes=seq - 1)
        await self.rig.publish(
            TELEMETRY,
            Telemetry(
                **{
                    "ts": self.rig.clock(),
                    "cp_id": self.cp_id,
                    "connector_id": connector_id,
                    "session_id": session_id,
                    "source": StatusSource.OCPP,
                    "seq": seq,
                    "interval_start": start,
                    "interval_end": start + timedelta(minutes=1),
                    "register_wh": 1000.0 + seq * energy_wh,
                    "energy_wh": energy_wh,
                    "grid_wh": energy_wh,
                    "kw": 6.0,
                    "kwh": seq * energy_wh / 1000,
                    "euros": 0.0,
                    **more,
                }
            ),
        )

    async def _publish(
        self, connector_id: int, state: ChargePointState, *, event_id: str | None = None, **more: Any
    ) -> None:
        self._said += 1
        detail = StatusDetail(
            connectors=tuple(ConnectorDetail(connector_id=n, **c) for n, c in self.connectors.items()),
            ocpp_version=self.version,
            ocpp_status=self.connectors[connector_id]["ocpp_status"],
            **more.pop("detail", {}),
        )
        status = Status(
            ts=self.rig.clock(),
            cp_id=self.cp_id,
            connector_id=connector_id,
            state=state,
            source=StatusSource.OCPP,
            detail=detail,
            **more,
        )
        await self.rig.publish(STATUS, status, event_id=event_id or f"{self.cp_id}-{self._said}")
