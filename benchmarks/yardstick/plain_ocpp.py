"""The yardstick: stations as anybody writes them in forty lines on `ocpp` and `websockets`. No features, same traffic.

python benchmarks/yardstick/plain_ocpp.py ws://127.0.0.1:9000/ocpp 1000 20
"""

import asyncio
import json
import resource
import sys
import time
from datetime import UTC, datetime

import psutil
import websockets
from ocpp.v16 import ChargePoint, call

METER_S, HEARTBEAT_S, DIALS_AT_ONCE = 10.0, 60.0, 100


async def station(url: str, name: str, gate: asyncio.Semaphore, booted: list[str], latencies: list[float]) -> None:
    async with gate:
        socket = await websockets.connect(f"{url}/{name}", subprotocols=["ocpp1.6"], compression=None, open_timeout=60)
        charge_point = ChargePoint(name, socket)
        serving = asyncio.create_task(charge_point.start())
        await charge_point.call(call.BootNotification("yardstick", "plain"))
        await charge_point.call(call.StatusNotification(1, "NoError", "Available"))
        booted.append(name)
    number = 0
    await asyncio.sleep(hash(name) % 1000 / 1000 * METER_S)
    while not serving.done():
        sample = {"value": str(number), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        value = {"timestamp": datetime.now(UTC).isoformat(), "sampled_value": [sample]}
        began = time.perf_counter()
        await charge_point.call(call.MeterValues(1, [value]))
        latencies.append(time.perf_counter() - began)
        number += 1
        if number % round(HEARTBEAT_S / METER_S) == 0:
            await charge_point.call(call.Heartbeat())
        await asyncio.sleep(METER_S)


async def main(url: str, count: int, seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    gate, began = asyncio.Semaphore(DIALS_AT_ONCE), time.perf_counter()
    booted: list[str] = []
    latencies: list[float] = []
    tasks = [asyncio.create_task(station(url, f"PLAIN-{n:05d}", gate, booted, latencies)) for n in range(count)]
    while len(booted) < count:
        await asyncio.sleep(0.01)
    boot_s = time.perf_counter() - began
    boot_cpu_s = time.process_time()
    await asyncio.sleep(METER_S)
    latencies.clear()
    print("measuring", flush=True)
    cpu = time.process_time()
    await asyncio.sleep(seconds)
    cpu = time.process_time() - cpu
    ordered = sorted(latencies)
    figures = {
        "boot_s": boot_s,
        "boot_cpu_s": boot_cpu_s,
        "rss_mib": psutil.Process().memory_info().rss / 2**20,
        "calls": len(ordered),
        "cpu_us_per_call": cpu / len(ordered) * 1e6,
        "p50_ms": ordered[len(ordered) // 2] * 1e3,
        "p99_ms": ordered[len(ordered) * 99 // 100] * 1e3,
    }
    print(json.dumps({key: round(value, 3) for key, value in figures.items()}), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
