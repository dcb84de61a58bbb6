"""A CSMS that says yes to everything and does nothing else, so that what is measured beside it is the stations alone.

python benchmarks/yardstick/quick_csms.py   # prints its address, serves until it is ended
"""

from __future__ import annotations

import itertools
import resource

import orjson
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, WSUpgradeResponse, ws_create_server
from picows import WSUpgradeResponseWithListener as Accepted

from evcharging.ocpp.station.v16.meter_values import text_time

HEARTBEAT_S = 60
NOW = text_time(1_750_000_000.0)
ANSWERS = {
    "BootNotification": b'{"status":"Accepted","currentTime":"%s","interval":%d}' % (NOW.encode(), HEARTBEAT_S),
    "Heartbeat": b'{"currentTime":"%s"}' % NOW.encode(),
    "Authorize": b'{"idTagInfo":{"status":"Accepted"}}',
    "StopTransaction": b'{"idTagInfo":{"status":"Accepted"}}',
}
transactions = itertools.count(1)


class Yes(WSListener):
    """One station's socket."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            said = orjson.loads(frame.get_payload_as_memoryview())
            if said[0] == 2:
                transport.send(WSMsgType.TEXT, b'[3,"%s",%s]' % (said[1].encode(), answer(said[2])))
        elif frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


def answer(action: str) -> bytes:
    """The payload of a result."""
    if action == "StartTransaction":
        return b'{"transactionId":%d,"idTagInfo":{"status":"Accepted"}}' % next(transactions)
    return ANSWERS.get(action, b"{}")


def accept(_request: WSUpgradeRequest) -> Accepted:
    headers = {"Sec-WebSocket-Protocol": "ocpp1.6"}
    return Accepted(WSUpgradeResponse.create_101_response(headers), Yes())


async def main() -> None:
    """Serve on a free port."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = await ws_create_server(accept, "127.0.0.1", 0, backlog=4096, enable_auto_ping=False)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
