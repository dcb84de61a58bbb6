"""What stations cost by themselves: booting, memory, and a MeterValues call with its answer, both validated.

Each size runs in a process of its own, at a CSMS in another that only says yes. One JSON line a figure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

YARDSTICK = Path(__file__).parent / "yardstick"
SIZES = (1_000, 4_000)


def measure(count: int) -> dict[str, float]:
    with subprocess.Popen(
        [sys.executable, str(YARDSTICK / "quick_csms.py")], stdout=subprocess.PIPE, text=True
    ) as csms:
        assert csms.stdout is not None  # noqa: S101 - asked for above
        try:
            url = csms.stdout.readline().strip()
            command = [sys.executable, str(YARDSTICK / "calling_stations.py"), url, str(count)]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        finally:
            csms.kill()
    figures: dict[str, float] = json.loads(printed)
    return figures


def main(sizes: tuple[int, ...]) -> None:
    for count in sizes:
        for figure, value in measure(count).items():
            line = {"benchmark": "station_calls", "stations": count, "figure": figure, "value": value}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
