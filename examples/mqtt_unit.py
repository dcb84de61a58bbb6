"""A charge point that exists on MQTT only: it appears in `GET /cp` and on the page with source `mqtt`.

Shows all that a small device has to do to be seen: publish JSON on `evse/{unit_id}/telemetry`, and, to be marked
DISCONNECTED the moment it is gone, keep `online` retained on `evse/{unit_id}/status` with a last will of `offline`.
Such a unit is shown, not commanded: it has no sessions of Central's and no bill.

Run it beside `make run`, then look for it: curl http://localhost:8000/cp/GARAGE-1 ::

    python examples/mqtt_unit.py
    python examples/mqtt_unit.py --unit-id GARAGE-2 --port 1883
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
from datetime import UTC, datetime

import aiomqtt

PERIOD_S = 1.0
CHARGE_KW = 7.36
VOLTS = 230.0


async def live(host: str, port: int, unit_id: str) -> None:
    """Be a unit that charges for ten seconds and rests for five, until cancelled."""
    status_topic = f"evse/{unit_id}/status"
    will = aiomqtt.Will(status_topic, "offline", qos=1, retain=True)
    async with aiomqtt.Client(host, port, identifier=f"example-{unit_id}", will=will) as client:
        await client.publish(status_topic, "online", qos=1, retain=True)
        print(f"{unit_id} is online at mqtt://{host}:{port}", flush=True)
        try:
            await charge_and_rest(client, unit_id)
        finally:  # leaving in good order: the will is for when there is no time for this
            await client.publish(status_topic, "offline", qos=1, retain=True)


async def charge_and_rest(client: aiomqtt.Client, unit_id: str) -> None:
    """Publish telemetry each second. Only `status` is required; what a unit does not measure it leaves out."""
    energy_kwh = 0.0
    for seq in itertools.count(1):
        charging = seq % 15 < 10
        power_kw = CHARGE_KW if charging else 0.0
        energy_kwh += power_kw * PERIOD_S / 3600
        telemetry = {
            "v": 1,
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seq": seq,
            "unit_id": unit_id,
            "status": "charging" if charging else "available",
            "power_kw": power_kw,
            "energy_kwh": round(energy_kwh, 4),
            "current_a": round(power_kw * 1000 / VOLTS, 1),
            "voltage_v": VOLTS,
        }
        await client.publish(f"evse/{unit_id}/telemetry", json.dumps(telemetry), qos=0)
        await asyncio.sleep(PERIOD_S)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="localhost", help="of the MQTT broker [default %(default)s]")
    parser.add_argument("--port", type=int, default=1883, help="[default %(default)s]")
    parser.add_argument("--unit-id", default="GARAGE-1", help="[default %(default)s]")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(live(given.host, given.port, given.unit_id))
