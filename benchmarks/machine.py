"""What the libraries underneath cost on this machine, so that figures of two machines can be set side by side.

None of it is this project's code: a round trip of the `ocpp` package, of `websockets` and of picows, and a decoded
message, in µs of CPU. On a shared machine it changes with the hour, so run it right before and after what it explains.
One JSON line a figure.
"""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import picows
import uvloop
import websockets.asyncio.client as websocket_client
import websockets.asyncio.server as websocket_server
from ocpp.routing import on  # type: ignore[import-untyped]
from ocpp.v16 import ChargePoint, call, call_result  # type: ignore[import-untyped]
from pydantic import BaseModel

CALL = (
    b'[2,"10001","MeterValues",{"connectorId":1,"transactionId":12,"meterValue":[{"timestamp":"2026-01-01T00:00:00Z",'
    b'"sampledValue":[{"value":"123456","measurand":"Energy.Active.Import.Register","unit":"Wh"}]}]}]'
)
TELEMETRY = b'{"cp_id":"CP-001","session_id":"s-1","seq":7,"kw":7.36,"kwh":1.25,"euros":0.44,"soc":0.435,"amps":32.0}'
ROUND_TRIPS = 20_000
SOCKETS = 50
DECODED = 100_000
OCPP_CALLS = 1_000


class Telemetry(BaseModel):
    """What is decoded."""

    cp_id: str
    session_id: str
    seq: int
    kw: float
    kwh: float
    euros: float
    soc: float | None = None
    amps: float | None = None


class Echo(picows.WSListener):
    """Sends back what it is sent."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        transport.send(picows.WSMsgType.TEXT, frame.get_payload_as_bytes())


class Asker(picows.WSListener):
    """Sends again as soon as it was answered, and ends the measurement with the last answer."""

    def __init__(self, left: list[int], done: asyncio.Event) -> None:
        self._left = left
        self._done = done
        self.transport: picows.WSTransport | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: picows.WSTransport, _frame: picows.WSFrame) -> None:
        self._left[0] -= 1
        if self._left[0] > 0:
            transport.send(picows.WSMsgType.TEXT, CALL)
        else:
            self._done.set()


async def picows_round_trip_a_side() -> float:
    left, done = [ROUND_TRIPS], asyncio.Event()
    server = await picows.ws_create_server(lambda _request: Echo(), "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    askers = [Asker(left, done) for _ in range(SOCKETS)]
    for asker in askers:
        await picows.ws_connect(lambda asker=asker: asker, url)
    began = time.process_time()
    for asker in askers:
        assert asker.transport is not None  # noqa: S101 - it is connected
        asker.transport.send(picows.WSMsgType.TEXT, CALL)
    await done.wait()
    spent_s = time.process_time() - began
    for asker in askers:
        assert asker.transport is not None  # noqa: S101
        asker.transport.disconnect()
    server.close()
    return spent_s / ROUND_TRIPS / 2


async def websockets_round_trip_a_side() -> float:
    async def echo(socket: websocket_server.ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async def ask(url: str) -> float:
        async with websocket_client.connect(url, compression=None) as socket:
            began = time.process_time()
            for _ in range(ROUND_TRIPS // SOCKETS):
                await socket.send(CALL.decode())
                await socket.recv()
            return time.process_time() - began

    async with websocket_server.serve(echo, "127.0.0.1", 0, compression=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
        spent_s = [await ask(url) for _ in range(5)]
    return statistics.median(spent_s) / (ROUND_TRIPS // SOCKETS) / 2


class Csms(ChargePoint):  # type: ignore[misc]  # untyped
    """Answers meter values, and does nothing with them."""

    @on("MeterValues")  # type: ignore[untyped-decorator]
    def on_meter_values(self, **_payload: object) -> call_result.MeterValues:
        return call_result.MeterValues()


async def ocpp_meter_values_both_sides() -> float:
    async def serve(socket: websocket_server.ServerConnection) -> None:
        await Csms("csms", socket).start()

    sample = {"value": "123456", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
    asked = call.MeterValues(1, [{"timestamp": datetime.now(UTC).isoformat(), "sampled_value": [sample]}], 12)
    async with websocket_server.serve(serve, "127.0.0.1", 0, compression=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
        async with websocket_client.connect(url, compression=None) as socket:
            charge_point = ChargePoint("machine", socket)
            serving = asyncio.create_task(charge_point.start())
            await charge_point.call(asked)  # the schemas are read
            began = time.process_time()
            for _ in range(OCPP_CALLS):
                await charge_point.call(asked)
            spent_s = time.process_time() - began
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
    return spent_s / OCPP_CALLS


async def pydantic_decode_telemetry() -> float:
    began = time.process_time()
    for _ in range(DECODED):
        Telemetry.model_validate_json(TELEMETRY)
    return (time.process_time() - began) / DECODED


MEASURES: tuple[Callable[[], Awaitable[float]], ...] = (
    ocpp_meter_values_both_sides,
    websockets_round_trip_a_side,
    picows_round_trip_a_side,
    pydantic_decode_telemetry,
)


async def main() -> None:
    for measure in MEASURES:
        value = round(await measure() * 1e6, 2)
        print(json.dumps({"benchmark": "machine", "figure": f"{measure.__name__}_us", "value": value}), flush=True)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # `ocpp` writes a line a frame, which is no part of a round trip
    uvloop.run(main())
