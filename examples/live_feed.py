"""Follow the network over the WebSocket that the page uses: what it is now, then what changes.

Shows `WS /ws`: one JSON object a message, a snapshot first, changes only after it. A reader that falls behind is sent a
fresh snapshot instead of a backlog, so a program has nothing to catch up with.

Run it beside `make run`::

    python examples/live_feed.py
    python examples/live_feed.py --url 'ws://localhost:8000/ws?station_id=CP-001'
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from typing import Any

from websockets.asyncio.client import connect


async def follow(url: str) -> None:
    """Print a line a change until Central leaves (close code 1001) or this is cancelled."""
    async with connect(url) as websocket:
        async for text in websocket:
            for line in told(json.loads(text)):
                print(line, flush=True)


def told(message: dict[str, Any]) -> list[str]:
    """What one message says; types that are not of interest here are passed over, as is any that comes later."""
    match message["type"]:
        case "snapshot":
            return [f"{point['cp_id']}: {point['state']}" for point in message["cp"]]
        case "cp":
            return [
                f"{message['unit_id']}: {message['state']} {message['kw'] or 0:.1f} kW {message['kwh'] or 0:.4f} kWh"
            ]
        case "totals":
            return [f"all: {message['energy_kwh']} kWh, {message['earnings']} {message['currency']}"]
    return []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="ws://localhost:8000/ws", help="[default %(default)s]")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(follow(parser.parse_args().url))
