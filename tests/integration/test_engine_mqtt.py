"""An engine on MQTT, over the embedded broker: what is seen there, and what can be done from there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiomqtt
import pytest

from evcharging.domain.states import ChargePointState
from evcharging.mqtt.embedded import EmbeddedBroker
from tests.support.engine import EngineRig, a_rig, new_cp_id

DEADLINE_S = 30.0


class Onlooker:
    """A client of the broker that is none of ours."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.heard: list[tuple[str, bytes]] = []
        self._changed = asyncio.Condition()

    async def listen(self) -> None:
        async for message in self.client.messages:
            async with self._changed:
                self.heard.append((str(message.topic), bytes(message.payload)))
                self._changed.notify_all()

    async def hear(self, topic: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first payload on ``topic`` that is wanted."""

        def found() -> list[Any]:
            payloads = [_decoded(payload) for heard, payload in self.heard if heard == topic]
            return [payload for payload in payloads if wanted(payload)]

        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(found)
            return found()[0]


def _decoded(payload: bytes) -> Any:
    return json.loads(payload) if payload[:1] == b"{" else payload.decode()


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
async def rig(broker: EmbeddedBroker) -> AsyncIterator[EngineRig]:
    """Engines end before their broker does: amqtt's shutdown can wait for ever for a client that is still talking."""
    async with a_rig() as rig:
        yield rig


@pytest.fixture
async def onlooker(broker: EmbeddedBroker) -> AsyncIterator[Onlooker]:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe([("evse/#", 1), ("homes/#", 1)])
        onlooker = Onlooker(client)
        listening = asyncio.create_task(onlooker.listen())
        yield onlooker
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def test_a_session_is_seen_from_its_beginning_to_its_end(
    rig: EngineRig, broker: EmbeddedBroker, onlooker: Onlooker
):
    cp_id = new_cp_id()
    engine = await rig.engine(cp_id=cp_id, mqtt=broker.url, mqtt_interval=0.2, session_seconds=1.5)
    assert await onlooker.hear(f"evse/{cp_id}/status") == "online"
    await onlooker.hear(f"evse/{cp_id}/state", lambda state: state["status"] == "available")
    await rig.start(cp_id, "session-1")
    began = await onlooker.hear(f"evse/{cp_id}/event")
    assert (began["event"], began["session_id"]) == ("session_started", "session-1")
    flowing = await onlooker.hear(f"evse/{cp_id}/telemetry", lambda told: told["energy_kwh"] > 0)
    assert (flowing["status"], flowing["session_id"], flowing["unit_id"]) == ("charging", "session-1", cp_id)
    assert flowing["power_kw"] == pytest.approx(22.0, abs=0.1)
    ended = await onlooker.hear(f"evse/{cp_id}/event", lambda told: told["event"] == "session_ended")
    assert ended["detail"] == {"reason": "time_elapsed"}
    await engine.stop()
    await onlooker.hear(f"evse/{cp_id}/status", lambda told: told == "offline")


async def test_a_cable_is_pulled_over_mqtt_and_acknowledged(rig: EngineRig, broker: EmbeddedBroker, onlooker: Onlooker):
    cp_id = new_cp_id()
    await rig.engine(cp_id=cp_id, mqtt=broker.url)
    await rig.start(cp_id, "session-1")
    await rig.status(cp_id, ChargePointState.SUPPLYING)
    await onlooker.client.publish(f"evse/{cp_id}/cmd/unplug", b"", qos=1)
    ack = await onlooker.hear(f"evse/{cp_id}/cmd/unplug/ack")
    assert ack["outcome"] == "ACCEPTED"
    end = await rig.status(cp_id, ChargePointState.ACTIVATED, session_id="session-1")
    assert end.reason == "unplugged"
    await onlooker.client.publish(f"evse/{cp_id}/cmd/start", b"{}", qos=1)
    refused = await onlooker.hear(f"evse/{cp_id}/cmd/start/ack")
    assert (refused["outcome"], refused["error_code"]) == ("REJECTED", "not_supported")


async def test_a_fault_raises_an_alarm(rig: EngineRig, broker: EmbeddedBroker, onlooker: Onlooker):
    cp_id = new_cp_id()
    await rig.engine(cp_id=cp_id, mqtt=broker.url)
    await onlooker.client.publish(f"evse/{cp_id}/cmd/fault", b'{"payload": {"code": "contactor_welded"}}', qos=1)
    alarm = await onlooker.hear(f"evse/{cp_id}/alarm")
    assert (alarm["kind"], alarm["severity"], alarm["active"]) == ("contactor_welded", "critical", True)
    await onlooker.client.publish(f"evse/{cp_id}/cmd/clear", b"", qos=1)
    await onlooker.hear(f"evse/{cp_id}/alarm", lambda told: not told["active"])


async def test_without_a_broker_it_charges_all_the_same_and_is_not_ready(rig: EngineRig, broker: EmbeddedBroker):
    cp_id = new_cp_id()
    await broker.stop()
    engine = rig.begin(cp_id=cp_id, mqtt=broker.url, session_seconds=0.7)
    await rig.status(cp_id, ChargePointState.ACTIVATED, reason="boot")
    await rig.start(cp_id, "session-1")
    await rig.status(cp_id, ChargePointState.ACTIVATED, session_id="session-1")
    assert engine.host.checks()["mqtt"] is False
    assert engine.host.health_of(cp_id)["healthy"]
    await broker.start()
    await engine.ready()


@pytest.mark.parametrize("prefix", ["homes", None])
async def test_home_assistant_is_told_of_its_units_where_that_is_set(
    rig: EngineRig, broker: EmbeddedBroker, onlooker: Onlooker, prefix: str | None
):
    cp_id = new_cp_id()
    await rig.engine(cp_id=cp_id, mqtt=broker.url, mqtt_interval=0.2, mqtt_discovery=prefix)
    telemetry = await onlooker.hear(f"evse/{cp_id}/telemetry")
    announced = {topic for topic, _ in onlooker.heard if not topic.startswith("evse/")}
    if prefix is None:
        assert announced == set()
        return
    power = await onlooker.hear(f"homes/sensor/{cp_id}/power/config")
    assert power["state_topic"] == f"evse/{cp_id}/telemetry"
    assert power["value_template"] == "{{ value_json.power_kw }}"
    assert "power_kw" in telemetry
    assert await onlooker.hear(power["availability"][0]["topic"]) == "online"
