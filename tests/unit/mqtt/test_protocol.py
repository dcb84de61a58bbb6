from __future__ import annotations

from evcharging.mqtt.protocol import MqttHealth, total


def test_several_connections_are_connected_when_all_are_and_their_counts_add_up() -> None:
    up = MqttHealth(connected=True, connections=2, waiting=3, dropped_qos0=5, dropped_qos1=7, overrun=11)
    down = MqttHealth(connected=False, connections=1, waiting=1, dropped_qos0=1, detail="refused")
    assert total([up, up]).connected
    assert total([up, down, up]) == MqttHealth(
        connected=False, connections=5, waiting=7, dropped_qos0=11, dropped_qos1=14, overrun=22, detail="refused"
    )


def test_no_connection_at_all_lacks_none() -> None:
    assert total([]) == MqttHealth(connected=True)
