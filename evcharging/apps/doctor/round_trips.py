"""The brokers and buses that come with the project, each started on a free port and sent one message through."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import struct

from can import Message

from evcharging.apps.doctor.check import Check, CheckFailed
from evcharging.bus.create import create_bus
from evcharging.bus.embedded import EmbeddedKafka
from evcharging.bus.protocol import Position
from evcharging.can.bus import CanBus, FrameReader
from evcharging.can.connect import open_can
from evcharging.can.hub import CanHub
from evcharging.messages.topics import STATUS
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.client import AioMqttClient
from evcharging.mqtt.embedded import EmbeddedBroker

__all__ = ["round_trip_checks"]

HOST = "127.0.0.1"
PROBE = b"doctor"
CHANNEL = "doctor"
CONNECT_WITHIN_S = 5.0
MULTICAST_GROUP = "239.74.163.2"
MULTICAST_WITHIN_S = 1.0


def round_trip_checks() -> list[Check]:
    """One check for each."""
    return [
        Check("embedded Kafka", through_kafka),
        Check("embedded MQTT", through_mqtt),
        Check("CAN, virtual", through_virtual_can),
        Check("CAN, hub", through_hub),
        Check("CAN, udp_multicast", through_multicast, needed_for="--can udp_multicast"),
    ]


async def through_kafka() -> str:
    """Start librdkafka's mock cluster, then publish and read with aiokafka."""
    async with EmbeddedKafka() as broker:
        bus = create_bus(broker.bootstrap, client_id="doctor")
        await bus.start()
        try:
            await (await bus.publish_raw(STATUS.name, PROBE, PROBE, []))
            async with bus.subscribe({STATUS.name: Position.BEGINNING}) as reader:
                while not (records := await reader.getmany(timeout_s=1.0)):
                    pass
        finally:
            await bus.stop()
    if records[0].value != PROBE:
        raise CheckFailed(
            f"sent {PROBE!r}, read {records[0].value!r}", mend="install confluent-kafka and aiokafka anew"
        )
    return "a record went in and came out"


async def through_mqtt() -> str:
    """Start the embedded broker, then subscribe and publish."""
    async with (
        EmbeddedBroker(host=HOST, port=0) as broker,
        AioMqttClient(MqttAddress.parse(broker.url), client_id="doctor") as client,
    ):
        stream = client.subscribe({"doctor/#": 1})
        client.publish("doctor/probe", PROBE, qos=1, retain=True)
        message = await anext(stream)
        stream.close()
    if message.payload != PROBE:
        raise CheckFailed(f"sent {PROBE!r}, got {message.payload!r}", mend="install amqtt and aiomqtt anew")
    return "a message went in and came out"


async def through_virtual_can() -> str:
    """Send a frame from one end of python-can's virtual interface to the other."""
    await _through_can("virtual")
    return "a frame went from one end to the other"


async def through_hub() -> str:
    """Start a socketcand hub and send a frame from one client to another."""
    hub = CanHub()
    host, port = await hub.start(host=HOST, port=0)
    try:
        await _through_can(f"hub://{host}:{port}")
    finally:
        await hub.stop()
    return "a frame went from one client to the other"


async def through_multicast() -> str:
    """Send a datagram to the group that python-can's udp_multicast uses, on a port of our own, and hear it."""
    mend = (
        "install the extra (pip install 'evcharging[udp-multicast]') and give the group a route: "
        f"ip route add {MULTICAST_GROUP}/32 dev lo; or use --can hub://127.0.0.1:29536"
    )
    if importlib.util.find_spec("msgpack") is None:
        raise CheckFailed("msgpack is not installed", mend=mend)
    try:
        heard = await asyncio.to_thread(_heard_by_group)
    except OSError as error:
        raise CheckFailed(f"the group {MULTICAST_GROUP} cannot be reached ({error})", mend=mend) from None
    if heard != PROBE:
        raise CheckFailed(f"sent {PROBE!r}, heard {heard!r}", mend=mend)
    return f"the group {MULTICAST_GROUP} hears what is sent to it"


async def _through_can(address: str) -> None:
    sender, receiver = open_can(address, CHANNEL), open_can(address, CHANNEL)
    try:
        for bus in (sender, receiver):
            await bus.wait_connected(CONNECT_WITHIN_S)
        await _send_through(sender, receiver)
    finally:
        await sender.close()
        await receiver.close()


async def _send_through(sender: CanBus, receiver: CanBus) -> None:
    with FrameReader(receiver) as frames:
        await sender.send(Message(arbitration_id=0x123, data=PROBE, is_extended_id=False))
        heard = await anext(frames)
    if bytes(heard.data) != PROBE:
        raise CheckFailed(f"sent {PROBE!r}, heard {bytes(heard.data)!r}", mend="install python-can anew")


def _heard_by_group() -> bytes:
    membership = struct.pack("=4sl", socket.inet_aton(MULTICAST_GROUP), socket.INADDR_ANY)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((MULTICAST_GROUP, 0))
        receiver.settimeout(MULTICAST_WITHIN_S)
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        sender.sendto(PROBE, (MULTICAST_GROUP, receiver.getsockname()[1]))
        return receiver.recv(len(PROBE))
