"""A link between a socket and what is behind it."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from evcharging.apps.ocpp_gateway.link import ChargePointLink, LinkTerms
from evcharging.apps.ocpp_gateway.metrics import GatewayMetrics
from evcharging.ocpp.errors import CallRejected, ConnectionLost, Fault
from evcharging.ocpp.versions import OcppVersion

Payload = dict[str, Any]


class Socket:
    """Takes what is sent, until it is closed."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.reading = True
        self.closed: tuple[int, str] | None = None

    def send(self, data: bytes) -> None:
        if self.closed is not None:
            raise ConnectionLost("closed")
        self.sent.append(orjson.loads(data))

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Host:
    """Answers the Heartbeat."""

    def __init__(self) -> None:
        self.opened_links: list[ChargePointLink] = []
        self.ends: list[str] = []
        self.frames: list[str] = []
        self.refused: list[tuple[str, Payload, str]] = []

    def opened(self, link: ChargePointLink) -> None:
        self.opened_links.append(link)

    def closed(self, link: ChargePointLink, reason: str) -> None:
        self.ends.append(reason)

    def handle(self, link: ChargePointLink, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        if action != "Heartbeat":
            raise CallRejected(Fault.NOT_SUPPORTED, "not here")
        return {"currentTime": "2026-01-31T12:00:00Z"}

    def rejected(self, link: ChargePointLink, action: str, payload: Payload, code: str) -> None:
        self.refused.append((action, payload, code))

    def frame(self, link: ChargePointLink, direction: str, frame: Any, raw: bytes | str) -> None:
        self.frames.append(direction)


class Linked:
    def __init__(self, *, per_s: float = 0.0, burst: int = 1) -> None:
        self.host = Host()
        self.socket = Socket()
        self.metrics = GatewayMetrics(connected=lambda: 1, opening=lambda: 0)
        ids = iter(range(100))
        self.link = ChargePointLink(
            "CP-001",
            OcppVersion.V16,
            remote="127.0.0.1",
            connected_at=datetime(2026, 1, 31, tzinfo=UTC),
            host=self.host,
            terms=LinkTerms(per_s, burst, False, lambda: 0.0, lambda: f"id-{next(ids)}"),
            metrics=self.metrics,
        )

    def open(self) -> Linked:
        self.link.opened(self.socket)  # type: ignore[arg-type]
        return self

    def tell(self, *frame: Any) -> None:
        self.link.text(orjson.dumps(frame))


async def test_a_call_goes_in_and_its_answer_out_and_both_are_seen() -> None:
    linked = Linked().open()

    linked.tell(2, "1", "Heartbeat", {})

    assert linked.socket.sent == [[3, "1", {"currentTime": "2026-01-31T12:00:00Z"}]]
    assert linked.host.frames == ["in", "out"]
    assert linked.metrics.calls_handled("Heartbeat", "ok") == 1
    assert linked.host.refused == []


async def test_a_call_that_breaks_its_schema_is_told_with_its_payload_and_one_its_handler_refuses_is_not() -> None:
    linked = Linked().open()

    linked.tell(2, "1", "StopTransaction", {"meterStop": 5})
    linked.tell(2, "2", "Authorize", {"idTag": "TAG"})

    assert [frame[:3] for frame in linked.socket.sent] == [
        [4, "1", "OccurenceConstraintViolation"],
        [4, "2", "NotSupported"],
    ]
    assert linked.host.refused == [("StopTransaction", {"meterStop": 5}, "OccurenceConstraintViolation")]


async def test_after_a_close_nothing_is_answered_and_calls_fail_with_its_reason() -> None:
    linked = Linked().open()

    linked.link.close(1008, "replaced")
    linked.link.close(1000, "again")
    linked.tell(2, "1", "Heartbeat", {})

    assert linked.socket.closed == (1008, "replaced")
    assert linked.socket.sent == []
    with pytest.raises(ConnectionLost, match="replaced"):
        await linked.link.call("ClearCache", {})


async def test_the_end_of_the_socket_is_told_once() -> None:
    linked = Linked().open()

    linked.link.closed("the connection was lost")

    assert linked.host.ends == ["the connection was lost"]
    linked.link.close(1000, "too late")
    assert linked.socket.closed is None


async def test_a_station_over_its_rate_is_not_read_and_that_is_counted() -> None:
    linked = Linked(per_s=0.001, burst=2).open()

    for number in range(3):
        linked.tell(2, str(number), "Heartbeat", {})

    assert len(linked.socket.sent) == 2
    assert not linked.socket.reading
    assert linked.metrics.events["held_back"] == 1
    linked.link.closed("gone")


async def test_pings_count_towards_the_rate_and_what_is_passed_over_is_counted_by_kind() -> None:
    linked = Linked(per_s=0.001, burst=1).open()

    linked.link.ignored("binary")
    linked.link.ignored("ping")
    linked.link.ignored("ping")

    assert linked.metrics.ignored_frames == {"binary": 1}
    assert not linked.socket.reading
    linked.link.closed("gone")
