from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys

from evcharging.bus.create import create_bus
from evcharging.bus.protocol import Position
from tests.support.bus import read

MODULE = "evcharging.apps.broker.main"


async def test_a_port_that_is_taken_ends_with_2_and_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULE, "--port", str(port), stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            _, complaint = await process.communicate()
    assert process.returncode == 2
    assert f"--port {port}: the port is taken on 127.0.0.1" in complaint.decode()


async def test_it_says_what_it_is_for_serves_kafka_on_its_port_and_ends_with_0_when_asked_to() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            notice = (await process.stdout.readline()).decode()
            ready = (await process.stdout.readline()).decode()
        assert "one copy of each service, development and demonstration" in notice
        address = re.search(r"address=(127\.0\.0\.1:\d+)", ready)
        assert address is not None, ready
        bus = create_bus(address[1])
        await asyncio.wait_for(bus.start(), 30)
        await (await bus.publish_raw("cp.health", b"k", b"v", []))
        async with bus.subscribe({"cp.health": Position.BEGINNING}) as subscription:
            assert (await read(subscription, 1))[0].value == b"v"
        await bus.stop()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
