"""Watch drivers being served: every `driver.updates` record as a line, until Ctrl-C.

Shows that the topics are open to any Kafka client: this one is plain aiokafka and knows nothing of this project but
the topic's name and its JSON fields. It reads all partitions, without a group, so it takes nothing from anybody.

Run it beside `make run` (or any Central)::

    python examples/watch_sessions.py
    python examples/watch_sessions.py --kafka-bootstrap localhost:9092 --from-beginning
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json

from aiokafka import AIOKafkaConsumer

TOPIC = "driver.updates"


async def watch(bootstrap: str, *, from_beginning: bool) -> None:
    """Print updates until cancelled."""
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest" if from_beginning else "latest",
        fetch_max_wait_ms=20,  # the default of 500 would show every line half a second late
    )
    await consumer.start()
    try:
        async for record in consumer:
            try:
                print(line_of(json.loads(record.value)), flush=True)
            except (ValueError, KeyError, TypeError):  # one bad record is no reason to stop watching
                print(f"skipped {record.topic}-{record.partition}-{record.offset}: not a driver update", flush=True)
    finally:
        await consumer.stop()


def line_of(update: dict[str, object]) -> str:
    """One update for people. Fields that are unset are not in the JSON at all."""
    parts = [update["ts"], update["driver_id"], update["cp_id"], update["status"]]
    parts += [f"{update[name]} {unit}" for name, unit in (("kw", "kW"), ("kwh", "kWh")) if name in update]
    parts += [update["reason"]] if "reason" in update else []
    return "  ".join(str(part) for part in parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kafka-bootstrap", default="localhost:9092", help="host:port [default %(default)s]")
    parser.add_argument("--from-beginning", action="store_true", help="show what was said before, too")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(watch(arguments.kafka_bootstrap, from_beginning=arguments.from_beginning))
