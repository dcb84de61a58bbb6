"""What CAN costs: a frame through the codec, frames a second between processes over the hub, fleets of chargers.

The hub runs in a process of its own, as does each fleet; CPU time is read from the kernel for each process. Throughput
is counted with a window on what is in flight, so that nothing is dropped and the order can be checked. One JSON line a
figure, two sizes each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Iterator

import psutil
import uvloop
from can import Message

from evcharging.can.connect import open_can
from evcharging.can.frames import ChargerStatus, CurrentLimit, Frame, MeasuredCurrent, decode, encode
from evcharging.can.link import ChargerLink
from evcharging.domain.charger import ChargerState, FaultCode

CHANNELS = (1, 10)
FRAMES = 200_000
WINDOW = 2_000
FLEETS = (100, 300)
FLEET_S = 15.0


def figure(name: str, value: float, unit: str, **about: object) -> None:
    print(json.dumps({"benchmark": "can", "figure": name, "value": round(value, 3), "unit": unit, **about}), flush=True)


def codec() -> None:
    frames: tuple[Frame, ...] = (
        MeasuredCurrent(31.75),
        CurrentLimit(16.5),
        ChargerStatus(ChargerState.CHARGING, True, FaultCode.NONE, 7),
    )
    for frame in frames:
        message = encode(frame)
        about = {"frame": f"{message.arbitration_id:#x}"}
        figure("can_encode", _us(lambda frame=frame: encode(frame)), "us", **about)  # type: ignore[misc]
        figure("can_decode", _us(lambda message=message: decode(message)), "us", **about)  # type: ignore[misc]


def _us(act: Callable[[], object], repeats: int = 100_000) -> float:
    return min(timeit.repeat(act, timer=time.process_time, number=repeats, repeat=3)) / repeats * 1e6


@contextlib.contextmanager
def charger(*argv: str) -> Iterator[tuple[str, psutil.Process]]:
    """``evcharging charger`` in a process of its own: its hub's address, and the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "evcharging.apps.charger.main", "--hub-port", "0", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = ""
        while "chargers are ready" not in said:
            line = process.stdout.readline() if process.stdout is not None else ""
            if not line:
                raise SystemExit(f"the charger ended: {said}")
            said += line
        # Nobody reads the log from here on, and a full pipe would hold the charger up.
        subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)  # noqa: S607
        yield re.findall(r"hub://[\d.:]+", said)[0], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(10)


class Lane:
    """One channel: a sender that keeps ``WINDOW`` frames in flight, and a reader that checks their order."""

    def __init__(self, can: str, name: str, frames: int, arrived: Callable[[], None]) -> None:
        self.sender, self.reader = open_can(can, name), open_can(can, name)
        self.out_of_order = 0
        self._frames = frames
        self._received = 0
        self._arrived = arrived
        self._room = asyncio.Event()
        self.reader.add_listener(self._take)

    def _take(self, message: Message) -> None:
        if int.from_bytes(message.data, "little") != self._received:
            self.out_of_order += 1
        self._received += 1
        self._room.set()
        if self._received == self._frames:
            self._arrived()

    async def send(self) -> None:
        """Send every frame, waiting while too many are in flight."""
        for number in range(self._frames):
            while number - self._received >= WINDOW:
                self._room.clear()
                await self._room.wait()
            data = number.to_bytes(8, "little")
            self.sender.post(Message(arbitration_id=0x300, is_extended_id=False, data=data))
            if number % 500 == 0:
                await asyncio.sleep(0)


async def throughput(can: str, hub: psutil.Process, channels: int) -> None:
    """``FRAMES`` from a sender on each channel over the hub to a reader on it, both in this process."""
    arrived = asyncio.Semaphore(0)
    lanes = [Lane(can, f"BENCH-{number}", FRAMES // channels, arrived.release) for number in range(channels)]
    buses = [bus for lane in lanes for bus in (lane.sender, lane.reader)]
    for bus in buses:
        await bus.wait_connected(10)
    began_s, hub_cpu_s = time.perf_counter(), cpu_s(hub)
    async with asyncio.timeout(300), asyncio.TaskGroup() as tasks:
        for lane in lanes:
            tasks.create_task(lane.send())
        for _ in lanes:
            await arrived.acquire()
    took_s, hub_cpu_s = time.perf_counter() - began_s, cpu_s(hub) - hub_cpu_s
    about = {"channels": channels, "frames": FRAMES, "out_of_order": sum(lane.out_of_order for lane in lanes)}
    figure("can_hub_throughput", FRAMES / took_s, "frames/s", **about)
    figure("can_hub_cpu_per_frame", hub_cpu_s / FRAMES * 1e6, "us", **about)
    for bus in buses:
        await bus.close()


async def fleet(can: str, chargers: psutil.Process, count: int) -> None:
    """An engine's link to each of ``count`` charging chargers: what a second of that costs each side."""
    buses = [open_can(can, f"CP-{number:03}") for number in range(1, count + 1)]
    links = [ChargerLink(bus) for bus in buses]
    for bus, link in zip(buses, links, strict=True):
        await bus.wait_connected(10)
        link.open()
        link.set_limit(32.0)
        link.start()
    for link in links:
        await link.wait_until(lambda r: r.state is ChargerState.CHARGING, 20)
    engine = psutil.Process()
    before_s = cpu_s(chargers), cpu_s(engine), time.perf_counter()
    await asyncio.sleep(FLEET_S)
    wall_s = time.perf_counter() - before_s[2]
    silent = sum(link.silent for link in links)
    dropped = sum(sum(link.dropped.values()) + link.missed_status for link in links)
    about = {"chargers": count, "silent": silent, "frames_lost": dropped}
    figure("can_fleet_charger_cpu", (cpu_s(chargers) - before_s[0]) / wall_s * 100, "% of a core", **about)
    figure("can_fleet_engine_cpu", (cpu_s(engine) - before_s[1]) / wall_s * 100, "% of a core", **about)
    figure("can_fleet_charger_memory", chargers.memory_info().rss / 2**20, "MiB", **about)
    for bus, link in zip(buses, links, strict=True):
        link.stop()
        link.close()
        await bus.close()


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def main() -> None:
    codec()
    with charger("--cp-id", "IDLE") as (can, hub):
        for channels in CHANNELS:
            uvloop.run(throughput(can, hub, channels))
    for count in FLEETS:
        with charger("--count", str(count)) as (can, chargers):
            uvloop.run(fleet(can, chargers, count))


if __name__ == "__main__":
    main()
