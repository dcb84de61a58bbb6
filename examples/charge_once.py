"""Ask for one charge over Kafka and wait for its outcome.

Shows the project's own messages and bus from a program: a typed request with an id of its own, the updates that follow
it, and the one that ends it. Sending the same request id again would change nothing: it is the same request.

Run it beside `make run`; exit code 0 means COMPLETED, 1 any other end, 2 that no answer came in time::

    python examples/charge_once.py
    python examples/charge_once.py --cp-id CP-002 --kwh 0.05
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from uuid import uuid4

from evcharging.bus.create import create_bus
from evcharging.bus.protocol import Bus, Position
from evcharging.messages.drivers import DriverRequest, DriverUpdate, UpdateStatus
from evcharging.messages.envelope import Event, Undecodable, decode, new_traceparent
from evcharging.messages.topics import DRIVER_REQUESTS, DRIVER_UPDATES


async def charge(bus: Bus, request: DriverRequest) -> UpdateStatus:
    """Publish ``request`` and return the status that ended it, printing each update on the way."""
    async with bus.subscribe({DRIVER_UPDATES.name: Position.END}) as updates:  # listen first, then speak
        event = Event(DRIVER_REQUESTS, request, request.body_id(), f"driver/{request.driver_id}", new_traceparent())
        await (await bus.publish(event))  # the inner await: accepted for sending; the outer: the broker has it
        print(f"{request.request_id}: asked for {request.cp_id}", flush=True)
        while True:
            for record in await updates.getmany():
                try:
                    update: DriverUpdate = decode(
                        DRIVER_UPDATES,
                        body=record.value,
                        headers=record.headers,
                        partition=record.partition,
                        offset=record.offset,
                    ).message
                except Undecodable:
                    continue
                if update.request_id != request.request_id:
                    continue
                print(told(update), flush=True)
                if update.status.is_final:
                    return update.status


def told(update: DriverUpdate) -> str:
    """One update as a line."""
    parts = [update.cp_id, update.status.value]
    parts += [f"{update.kwh:.4f} kWh"] if update.kwh is not None else []
    parts += [update.reason] if update.reason else []
    return f"{update.request_id}: {' | '.join(parts)}"


async def main(bootstrap: str, cp_id: str, kwh: float | None, driver_id: str, timeout_s: float) -> int:
    """Run once and return the exit code."""
    request = DriverRequest(
        ts=datetime.now(UTC), request_id=f"req-{uuid4().hex}", driver_id=driver_id, cp_id=cp_id, kwh=kwh
    )
    bus = create_bus(bootstrap, client_id="example-charge-once")
    try:
        async with asyncio.timeout(timeout_s):
            await bus.start()
            ended = await charge(bus, request)
    except TimeoutError:
        print(f"no end within {timeout_s:g} s: is Kafka at {bootstrap}, and does Central run?", file=sys.stderr)
        return 2
    finally:
        await bus.stop()
    return 0 if ended is UpdateStatus.COMPLETED else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kafka-bootstrap", default="localhost:9092", help="host:port [default %(default)s]")
    parser.add_argument("--cp-id", default="any", help="charge point; any lets Central choose [default %(default)s]")
    parser.add_argument("--kwh", type=float, help="energy asked for [unset: until the charge point ends it]")
    parser.add_argument("--driver-id", default="driver-example", help="[default %(default)s]")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="[default %(default)s]")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.kafka_bootstrap, given.cp_id, given.kwh, given.driver_id, given.timeout_s)))
