"""Listen on a charger's CAN channel with python-can's own socketcand client, decoded by the DBC of this package.

Shows that the hub is a plain socketcand server: other people's CAN tools join it, and the DBC file tells them what the
frames mean. What is sent from here would reach the charger as well.

Run it beside `make run`; it ends after so many frames, or at Ctrl-C::

    python examples/can_listener.py
    python examples/can_listener.py --channel CP-002 --frames 100
"""

from __future__ import annotations

import argparse
import contextlib

import can
from cantools.database.can import Database

from evcharging.can.dbc import dbc_path


def listen(host: str, port: int, channel: str, frames: int) -> None:
    """Print ``frames`` frames of ``channel``, which is the charge point's id."""
    database = Database()
    database.add_dbc_file(dbc_path())
    with can.Bus(interface="socketcand", host=host, port=port, channel=channel) as bus:
        for message, _ in zip(bus, range(frames), strict=False):
            described = database.get_message_by_frame_id(message.arbitration_id)
            signals = described.decode(bytes(message.data), allow_truncated=True)
            print(f"{message.timestamp:.3f}  {message.arbitration_id:#05x}  {described.name}  {signals}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="of the CAN hub [default %(default)s]")
    parser.add_argument("--port", type=int, default=29536, help="[default %(default)s]")
    parser.add_argument("--channel", default="CP-001", help="the charge point's id [default %(default)s]")
    parser.add_argument("--frames", type=int, default=40, help="[default %(default)s]")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        listen(given.host, given.port, given.channel, given.frames)
