"""Every protocol fault that stations can do, at a real gateway: its reaction is what the reference page promises."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from evcharging.ocpp.errors import ConnectionLost
from evcharging.ocpp.exchange import Exchange
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.fault_kinds import CLOSED, FAULTS, NO_ANSWER, FaultKind, FaultPlan, Where
from evcharging.ocpp.station.faults import FaultyFrames, Judgement
from evcharging.ocpp.versions import OcppVersion
from evcharging.ocpp.websocket_client import dial
from tests.support.gateway_process import GatewayProcess

DEADLINE_S = 30.0
VERSIONS = (OcppVersion.V16, OcppVersion.V201)
JUDGED = [kind for kind, spec in FAULTS.items() if spec.where is Where.BEFORE_CALL or spec.in_16]
_numbers = itertools.count(1)

BOOT = {
    OcppVersion.V16: {"chargePointVendor": "V", "chargePointModel": "M"},
    OcppVersion.V201: {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}},
}
GOOD: dict[OcppVersion, tuple[str, dict[str, Any]]] = {
    OcppVersion.V16: (
        "StopTransaction",
        {"transactionId": 77, "idTag": "TAG", "timestamp": "2026-01-31T12:00:00Z", "meterStop": 5},
    ),
    OcppVersion.V201: (
        "TransactionEvent",
        {
            "eventType": "Ended",
            "timestamp": "2026-01-31T12:00:00Z",
            "triggerReason": "StopAuthorized",
            "seqNo": 1,
            "transactionInfo": {"transactionId": "t-77", "stoppedReason": "Local"},
        },
    ),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"))
    process.start()
    yield process
    assert process.stop() == 0, process.log()


class Station:
    """As little of a station as makes a call through faults."""

    def __init__(self, version: OcppVersion) -> None:
        self.version = version
        self.rates: dict[FaultKind, float] = {}
        self.judged: asyncio.Future[Judgement] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.faults = FaultyFrames(
            FaultPlan(self.rates, patience_s=0.5),
            version=version,
            seed=1,
            call_later=LoopClock().call_later,
            on_judgement=lambda judgement: self.judged.done() or self.judged.set_result(judgement),
        )
        self.exchange: Exchange | None = None

    async def connect(self, url: str) -> None:
        self.socket = socket = await dial(
            f"{url}/CP-FAULT-{next(_numbers)}",
            subprotocols=[self.version.subprotocol],
            headers={},
            ssl_context=None,
            on_text=lambda data: self.faults.incoming(data, self.exchange.receive, socket.abort),
            on_closed=self._on_closed,
            max_frame_bytes=1 << 20,
            open_timeout_s=DEADLINE_S,
        )
        self.exchange = Exchange(
            self.version,
            send=lambda data: self.faults.outgoing(data, socket.send, socket.abort, lambda _message_id: None),
            handle=lambda _action, _payload: {},
            new_id=lambda: f"call-{next(_numbers)}",
        )

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        assert self.exchange is not None
        return await self.exchange.call(action, payload, timeout_s=DEADLINE_S)

    def _on_closed(self, reason: str) -> None:
        self.closed.set_result(reason)
        if self.exchange is not None:
            self.exchange.close(reason)


@pytest.mark.parametrize("kind", JUDGED)
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_gateway_takes_a_fault_as_the_standard_has_it(
    gateway: GatewayProcess, version: OcppVersion, kind: FaultKind
) -> None:
    station = Station(version)
    await station.connect(gateway.url)
    assert (await station.call("BootNotification", BOOT[version]))["status"] == "Accepted"
    station.rates[kind] = 1.0
    try:
        await station.call(*GOOD[version])
    except ConnectionLost:
        outcome = CLOSED
    else:
        if kind is FaultKind.DUPLICATE_CALL:  # the second answer, if any, comes before that to the next call
            station.rates.clear()
            await station.call("Heartbeat", {})
            outcome = station.judged.result().outcome if station.judged.done() else NO_ANSWER
        else:
            outcome = (await asyncio.wait_for(station.judged, DEADLINE_S)).outcome
    assert FAULTS[kind].agrees(outcome, version), outcome
    assert station.faults.done[kind] == 1
    await station.socket.close()


@pytest.mark.parametrize(
    ("version", "outcome"), [(OcppVersion.V16, NO_ANSWER), (OcppVersion.V201, "RpcFrameworkError")]
)
async def test_a_text_that_is_no_utf8_costs_a_station_nothing_but_that_text(
    gateway: GatewayProcess, version: OcppVersion, outcome: str
) -> None:
    station = Station(version)
    await station.connect(gateway.url)
    await station.call("BootNotification", BOOT[version])
    station.rates[FaultKind.NOT_UTF8] = 1.0
    await station.call(*GOOD[version])  # over the same connection
    assert (await station.judged).outcome == outcome
    assert not station.closed.done()
    await station.socket.close()


async def test_what_one_station_does_costs_another_nothing(gateway: GatewayProcess) -> None:
    bad, good = Station(OcppVersion.V16), Station(OcppVersion.V16)
    for station in (bad, good):
        await station.connect(gateway.url)
        await station.call("BootNotification", BOOT[OcppVersion.V16])
    for kind in (FaultKind.FLOOD, FaultKind.BAD_JSON, FaultKind.BINARY_FRAME):
        bad.rates.clear()
        bad.rates[kind] = 1.0
        await asyncio.gather(bad.call("Heartbeat", {}), return_exceptions=True)
        assert (await good.call("Heartbeat", {}))["currentTime"]
    assert not good.closed.done()
    await good.socket.close()
    await bad.socket.close()
