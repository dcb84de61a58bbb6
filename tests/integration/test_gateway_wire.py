"""The wire side of the gateway over real sockets: bad stations of every kind cost themselves, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme
import websockets
from websockets.asyncio.client import ClientConnection

from evcharging.bus.protocol import Position
from evcharging.messages.network import OcppFrame
from evcharging.messages.topics import OCPP_FRAMES
from evcharging.ocpp.errors import CallFailed, CallTimedOut, ConnectionLost, InvalidAnswer
from tests.support.gateway import DEADLINE_S, WireGateway, ask, basic, password_hash, until, wire_gateway

HEARTBEAT = [2, "1", "Heartbeat", {}]
BEAT = {"currentTime": "2026-01-31T12:00:00.000Z"}


async def status_of(connecting: Any) -> int:
    """The HTTP status that an opening is refused with."""
    with pytest.raises(websockets.InvalidStatus) as told:
        await connecting
    return int(told.value.response.status_code)


async def serves(station: ClientConnection) -> bool:
    return bool(await ask(station, [2, "still", "Heartbeat", {}]) == [3, "still", BEAT])


async def close_code_of(station: ClientConnection) -> int | None:
    with pytest.raises(websockets.ConnectionClosed) as told:
        while True:
            await asyncio.wait_for(station.recv(), DEADLINE_S)
    return told.value.rcvd.code if told.value.rcvd is not None else None


class TestOpening:
    async def test_an_unknown_station_gets_404(self) -> None:
        async with wire_gateway() as wire:
            assert await status_of(wire.connect("CP-404")) == 404
            assert wire.counted() == ({"unknown_station": 1}, {})
            assert wire.central.links == []

    async def test_a_registered_station_is_served(self) -> None:
        async with wire_gateway() as wire:
            wire.register("CP-001")
            async with wire.connect("CP-001") as station:
                assert station.subprotocol == "ocpp1.6"
                assert await ask(station, HEARTBEAT) == [3, "1", BEAT]
            assert wire.central.links[0].remote == "127.0.0.1"

    async def test_open_registration_serves_anybody(self) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("NL%2AABC%2AE1") as station:
            assert await serves(station)
            assert wire.central.links[0].cp_id == "NL*ABC*E1"

    @pytest.mark.parametrize("cp_id", ["a%20b", "%zz", "x" * 49, "a%2Fb", ""])
    async def test_a_bad_id_gets_404(self, cp_id: str) -> None:
        async with wire_gateway(open_registration=True) as wire:
            assert await status_of(wire.connect(cp_id)) == 404
            assert wire.counted() == ({"bad_id": 1}, {})

    @pytest.mark.parametrize("protocols", [("ocpp1.5",), ("ocpp2.1",), ("mqtt", "ocpp2.0")])
    async def test_a_subprotocol_that_is_not_spoken_completes_the_opening_without_one_and_closes(
        self, protocols: tuple[str, ...]
    ) -> None:
        async with wire_gateway(open_registration=True) as wire:
            station = await wire.connect("CP-001", *protocols)
            assert station.subprotocol is None
            assert await close_code_of(station) == 1002
            assert wire.counted() == ({"subprotocol": 1}, {})
            assert wire.central.links == []

    async def test_version_2_0_1_is_spoken_where_it_is_preferred(self) -> None:
        async with (
            wire_gateway(open_registration=True) as wire,
            wire.connect("CP-001", "ocpp2.1", "ocpp2.0.1", "ocpp1.6") as station,
        ):
            assert station.subprotocol == "ocpp2.0.1"
            assert await serves(station)

    async def test_what_is_no_websocket_is_told_what_would_be(self) -> None:
        async with wire_gateway() as wire:
            reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
            assert answer.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
            assert b"ws://" in answer
            writer.close()

    async def test_more_stations_than_can_be_held_are_told_to_come_again(self) -> None:
        async with (
            wire_gateway(open_registration=True, most_stations=2) as wire,
            wire.connect("CP-001") as first,
        ):
            async with wire.connect("CP-002"):
                assert await status_of(wire.connect("CP-003")) == 503
            await until(lambda: len(wire.gateway.links) == 1)
            async with wire.connect("CP-003") as third:
                assert await serves(third)
                assert await serves(first)


class TestSecurity:
    async def test_profile_1_asks_for_the_password(self) -> None:
        async with wire_gateway() as wire:
            wire.register("CP-001", security_profile=1, password_hash=password_hash("right"))
            assert await status_of(wire.connect("CP-001")) == 401
            assert await status_of(wire.connect("CP-001", headers=basic("CP-001", "wrong"))) == 401
            assert await status_of(wire.connect("CP-001", headers=basic("CP-002", "right"))) == 401
            for _ in range(2):
                async with wire.connect("CP-001", headers=basic("CP-001", "right")) as station:
                    assert await serves(station)
            assert wire.counted() == ({"password": 3}, {})

    async def test_profile_2_is_tls_with_the_password_and_nothing_less(self, tmp_path: Path) -> None:
        async with wire_gateway(tls=tmp_path) as wire:
            wire.register("CP-001", security_profile=2, password_hash=password_hash("right"))
            assert await status_of(wire.connect("CP-001", headers=basic("CP-001", "right"))) == 403
            assert await status_of(wire.connect_tls("CP-001", headers=basic("CP-001", "wrong"))) == 401
            async with wire.connect_tls("CP-001", headers=basic("CP-001", "right")) as station:
                assert await serves(station)
            assert wire.counted() == ({"tls_required": 1, "password": 1}, {})

    async def test_profile_3_is_a_certificate_in_the_stations_name_and_nothing_less(self, tmp_path: Path) -> None:
        async with wire_gateway(tls=tmp_path) as wire:
            wire.register("CP-001", security_profile=3)
            assert await status_of(wire.connect("CP-001")) == 403
            assert await status_of(wire.connect_tls("CP-001")) == 403
            assert await status_of(wire.connect_tls("CP-001", certificate_of="CP-002")) == 403
            async with wire.connect_tls("CP-001", certificate_of="CP-001") as station:
                assert await serves(station)
            assert wire.counted() == ({"tls_required": 1, "certificate": 2}, {})

    async def test_a_certificate_of_another_authority_does_not_get_through_tls(self, tmp_path: Path) -> None:
        async with wire_gateway(tls=tmp_path) as wire:
            wire.register("CP-001", security_profile=3)
            with pytest.raises((ssl.SSLError, OSError, EOFError, websockets.InvalidMessage)):
                await wire.connect_tls("CP-001", certificate_of="CP-001", signed_by=trustme.CA())
            assert wire.central.links == []
            assert wire.counted() == ({"tls_handshake": 1}, {})
            async with wire.connect_tls("CP-001", certificate_of="CP-001") as station:
                assert await serves(station)

    async def test_a_plain_client_at_the_tls_port_disturbs_nobody(self, tmp_path: Path) -> None:
        async with wire_gateway(tls=tmp_path) as wire:
            wire.register("CP-001", security_profile=3)
            async with wire.connect_tls("CP-001", certificate_of="CP-001") as station:
                reader, writer = await asyncio.open_connection("127.0.0.1", wire.tls_port)
                writer.write(b"GET /ocpp/CP-001 HTTP/1.1\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    await asyncio.wait_for(reader.read(), DEADLINE_S)
                writer.close()
                assert await serves(station)
            assert wire.counted() == ({"tls_handshake": 1}, {})

    async def test_a_client_that_does_not_trust_the_gateway_is_counted_and_no_error_of_ours(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with wire_gateway(tls=tmp_path) as wire:
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", wire.tls_port, ssl=ssl.create_default_context())
            await until(lambda: wire.counted() == ({"tls_handshake": 1}, {}))
        assert "SSL handshake failed" not in caplog.text

    async def test_many_first_passwords_at_once_do_not_stop_those_who_are_in(self) -> None:
        async with wire_gateway() as wire:
            hashed = password_hash("right")
            for number in range(50):
                wire.register(f"CP-{number}", security_profile=1, password_hash=hashed)
            wire.register("inside")
            async with wire.connect("inside") as station, contextlib.AsyncExitStack() as stack:
                coming = [
                    asyncio.ensure_future(
                        stack.enter_async_context(wire.connect(f"CP-{n}", headers=basic(f"CP-{n}", "right")))
                    )
                    for n in range(50)
                ]
                assert await serves(station)
                assert all([await serves(await arrived) for arrived in coming])

    async def test_a_station_whose_registration_changes_can_be_dropped(self) -> None:
        async with wire_gateway() as wire:
            wire.register("CP-001")
            station = await wire.connect("CP-001")
            wire.gateway.drop("CP-001", "not registered any more")
            wire.gateway.drop("CP-002", "was never here")
            assert await close_code_of(station) == 1008
            await until(lambda: wire.central.ended)


class TestFrames:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("nonsense", "unreadable"),
            ("", "unreadable"),
            ("{}", "unreadable"),
            ("[]", "unreadable"),
            ("[2]", "unreadable"),
            ('[2,"1"]', "unreadable"),
            ('[2,1,"Heartbeat",{}]', "unreadable"),
            ('[2,"","Heartbeat",{}]', "unreadable"),
            ('[3,"1"]', "unreadable"),
            ('[3,"nobody asked",{}]', "unmatched"),
            ('[4,"nobody asked","GenericError","",{}]', "unmatched"),
            ('[3,"1","no object"]', "unreadable"),
            ('[5,"1",{}]', "malformed"),
            ("[" * 5_000, "unreadable"),
            ('[2,"1","Heartbeat",{}', "unreadable"),
            ("\u0000", "unreadable"),
        ],
    )
    async def test_what_cannot_be_answered_in_1_6_is_counted_and_costs_only_itself(
        self, text: str, reason: str
    ) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("CP-001") as station:
            await station.send(text)
            assert await serves(station)
            assert wire.counted() == ({}, {reason: 1})

    async def test_bytes_that_are_no_utf_8_cost_only_themselves(self) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("CP-001") as station:
            await station.send(b'[2,"1","Heart\xffbeat",{}]', text=True)
            assert await serves(station)
            assert wire.counted() == ({}, {"unreadable": 1})

    async def test_a_binary_message_is_passed_over(self) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("CP-001") as station:
            await station.send(orjson.dumps(HEARTBEAT))
            assert await serves(station)
            assert wire.counted() == ({}, {"binary": 1})

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            ([2, "1", "NoSuchAction", {}], "NotImplemented"),
            ([2, "1", "TransactionEvent", {}], "NotImplemented"),
            ([2, "1", "Heartbeat"], "FormationViolation"),
            ([2, "1", "Heartbeat", []], "FormationViolation"),
            ([2, "1", 5, {}], "FormationViolation"),
            ([2, "1", "Heartbeat", {"unknown": 1}], "FormationViolation"),
            ([2, "1", "Authorize", {}], "OccurenceConstraintViolation"),
            ([2, "1", "Authorize", {"idTag": 5}], "TypeConstraintViolation"),
            ([2, "1", "Authorize", {"idTag": "x" * 21}], "PropertyConstraintViolation"),
        ],
    )
    async def test_a_call_that_breaks_the_standard_is_answered_as_1_6_has_it(self, frame: list[Any], code: str) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("CP-001") as station:
            answer = await ask(station, frame)
            assert answer[:3] == [4, "1", code]
            assert isinstance(answer[3], str)
            assert answer[4] == {}
            assert await serves(station)

    @pytest.mark.parametrize(
        ("frame", "code", "message_id"),
        [
            ("nonsense", "RpcFrameworkError", "-1"),
            ([2, "1", "Heartbeat"], "FormatViolation", "1"),
            ([5, "1", {}], "MessageTypeNotSupported", "1"),
            ([2, "1", "StartTransaction", {}], "NotImplemented", "1"),
            ([2, "1", "Authorize", {}], "OccurrenceConstraintViolation", "1"),
        ],
    )
    async def test_a_frame_that_breaks_the_standard_is_answered_as_2_0_1_has_it(
        self, frame: Any, code: str, message_id: str
    ) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("CP-001", "ocpp2.0.1") as station:
            assert (await ask(station, frame))[:3] == [4, message_id, code]
            assert await serves(station)

    async def test_unknown_fields_are_tolerated_where_that_is_set(self) -> None:
        async with (
            wire_gateway(open_registration=True, tolerate_unknown_fields=True) as wire,
            wire.connect("CP-001") as station,
        ):
            assert await ask(station, [2, "1", "Heartbeat", {"unknown": 1}]) == [3, "1", BEAT]

    async def test_an_oversized_message_ends_its_socket_with_1009_and_the_station_may_come_back(self) -> None:
        async with wire_gateway(open_registration=True, max_message_bytes=2_048) as wire:
            async with wire.connect("CP-001") as station, wire.connect("CP-002") as bystander:
                await station.send(orjson.dumps([2, "1", "DataTransfer", {"vendorId": "x" * 3_000}]).decode())
                assert await close_code_of(station) == 1009
                assert await serves(bystander)
            async with wire.connect("CP-001") as again:
                assert await serves(again)
            assert wire.central.calls.count(("CP-001", "DataTransfer")) == 0
            assert wire.counted() == ({}, {"too_long": 1})

    async def test_a_call_that_is_repeated_while_it_is_handled_is_handled_once(self) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("CP-001") as station:
            may_answer = asyncio.Event()

            async def slowly(_link: Any, _payload: Any) -> dict[str, Any]:
                await may_answer.wait()
                return BEAT

            wire.central.answers["Heartbeat"] = slowly
            for _ in range(3):
                await station.send(orjson.dumps(HEARTBEAT).decode())
            await until(lambda: wire.counted()[1] == {"duplicate": 2})
            may_answer.set()
            assert orjson.loads(await station.recv()) == [3, "1", BEAT]
            assert wire.central.calls == [("CP-001", "Heartbeat")]

    async def test_calls_that_break_their_schema_are_told_to_be_kept_each_with_its_own_payload(self) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("CP-001") as station:
            may_answer = asyncio.Event()

            async def slowly(_link: Any, _payload: Any) -> dict[str, Any]:
                await may_answer.wait()
                return BEAT

            wire.central.answers["Heartbeat"] = slowly
            frames = [
                HEARTBEAT,
                [2, "2", "StartTransaction", {"first": 1}],
                [2, "2", "StartTransaction", {"first": "repeated"}],
                [2, "3", "StopTransaction", {"second": 2}],
                [2, "4", "NoSuchAction", {"third": 3}],
                [2, "5", "Authorize", {"idTag": "valid, and refused by its handler"[:20]}],
            ]
            for frame in frames:
                await station.send(orjson.dumps(frame).decode())
            await until(lambda: wire.counted()[1])
            may_answer.set()
            answers = [orjson.loads(await station.recv())[:2] for _ in range(5)]
            assert answers == [[3, "1"], [4, "2"], [4, "3"], [4, "4"], [4, "5"]]
            assert wire.central.refused == [
                ("StartTransaction", {"first": 1}, "OccurenceConstraintViolation"),
                ("StopTransaction", {"second": 2}, "OccurenceConstraintViolation"),
                ("NoSuchAction", {"third": 3}, "NotImplemented"),
            ]

    async def test_every_frame_is_on_the_bus_where_that_is_set(self) -> None:
        async with wire_gateway(open_registration=True, frames="on") as wire, wire.connect("CP-001") as station:
            await station.send("nonsense")
            await ask(station, HEARTBEAT)
            await until(lambda: wire.gateway.metrics.events["frames_traced"] == 3)
            async with wire.bus.subscribe({OCPP_FRAMES.name: Position.BEGINNING}) as reading:
                records = await reading.getmany(timeout_s=DEADLINE_S)
            frames = [OcppFrame.from_json(record.value or b"") for record in records]
            assert [(f.direction, f.frame) for f in frames] == [
                ("in", "nonsense"),
                ("in", HEARTBEAT),
                ("out", [3, "1", BEAT]),
            ]


class TestCallsToStations:
    async def test_a_call_is_answered_refused_or_wrong(self) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("CP-001") as station:
            link = wire.central.links[0]
            answers = iter(
                [
                    lambda m: [3, m, {"status": "Accepted"}],
                    lambda m: [4, m, "NotSupported", "no reset here", {"why": "tired"}],
                    lambda m: [3, m, {"status": "Perhaps"}],
                ]
            )

            async def act() -> None:
                for answer in answers:
                    call = orjson.loads(await station.recv())
                    assert call[0] == 2
                    assert call[2:] == ["Reset", {"type": "Soft"}]
                    await station.send(orjson.dumps(answer(call[1])).decode())

            acting = asyncio.create_task(act())
            assert await link.call("Reset", {"type": "Soft"}) == {"status": "Accepted"}
            with pytest.raises(CallFailed, match="NotSupported: no reset here") as failed:
                await link.call("Reset", {"type": "Soft"})
            assert failed.value.details == {"why": "tired"}
            with pytest.raises(InvalidAnswer):
                await link.call("Reset", {"type": "Soft"})
            await acting

    async def test_a_call_that_is_not_answered_in_time_says_so_and_a_late_answer_is_ignored(self) -> None:
        async with wire_gateway(open_registration=True) as wire, wire.connect("CP-001") as station:
            with pytest.raises(CallTimedOut):
                await wire.central.links[0].call("ClearCache", {}, timeout_s=0.05)
            call = orjson.loads(await station.recv())
            await station.send(orjson.dumps([3, call[1], {"status": "Accepted"}]).decode())
            assert await serves(station)
            assert wire.counted() == ({}, {"unmatched": 1})

    async def test_a_call_ends_when_its_socket_does(self) -> None:
        async with wire_gateway(open_registration=True) as wire:
            station = await wire.connect("CP-001")
            calling = asyncio.create_task(wire.central.links[0].call("ClearCache", {}))
            await station.recv()
            await station.close()
            with pytest.raises(ConnectionLost):
                await calling


class TestSockets:
    async def test_a_newer_socket_takes_over_and_the_older_is_closed(self) -> None:
        async with wire_gateway(open_registration=True) as wire:
            old = await wire.connect("CP-001")
            async with wire.connect("CP-001") as new:
                assert await close_code_of(old) == 1008
                assert await serves(new)
                older, newer = wire.central.links
                assert newer.epoch > older.epoch
                assert wire.gateway.links.get("CP-001") is newer
                assert wire.central.ended == [], "the station was never gone"
            await until(lambda: wire.central.ended)
            assert [link for link, _ in wire.central.ended] == [newer]
            assert wire.gateway.links.get("CP-001") is None

    async def test_a_station_that_lost_its_network_is_dropped_and_its_return_is_not(self) -> None:
        async with wire_gateway(open_registration=True, ping_interval_s=0.1) as wire:
            station = await wire.connect("CP-001")
            station.transport.pause_reading()
            await until(lambda: wire.central.ended)
            assert wire.central.ended[0][1] == "no answer to pings"
            async with wire.connect("CP-001") as again:
                assert await serves(again)
            station.transport.abort()

    async def test_stopping_says_1001_to_every_station(self) -> None:
        async with wire_gateway(open_registration=True) as wire:
            stations = [await wire.connect(f"CP-{number}") for number in range(20)]
            await wire.gateway.close()
            assert [await close_code_of(station) for station in stations] == [1001] * 20
            assert len(wire.central.ended) == 20

    async def test_a_storm_of_reconnections_is_answered(self) -> None:
        async with wire_gateway(open_registration=True) as wire, contextlib.AsyncExitStack() as stack:
            for _ in range(2):
                stations = await asyncio.gather(*(wire.connect(f"CP-{number}") for number in range(300)))
                for station in stations:
                    stack.push_async_callback(station.close)
            assert len(wire.gateway.links) == 300
            assert wire.gateway.metrics.events["replaced"] == 300
            assert all(await asyncio.gather(*(serves(station) for station in stations)))


class TestFlood:
    @contextlib.asynccontextmanager
    async def flooded(self, data: list[str], **settings: Any) -> AsyncIterator[tuple[WireGateway, ClientConnection]]:
        """50 stations that are served one call after the other, while one sends as fast as it can."""
        async with wire_gateway(open_registration=True, **settings) as wire, contextlib.AsyncExitStack() as stack:
            flooder = await stack.enter_async_context(wire.connect("FLOOD"))
            others = [await stack.enter_async_context(wire.connect(f"CP-{n}")) for n in range(50)]

            async def flood() -> None:
                while True:
                    for text in data:
                        await flooder.send(text)
                    await asyncio.sleep(0)

            async def served(station: ClientConnection) -> None:
                for _ in range(20):
                    assert await serves(station)

            flooding = asyncio.create_task(flood())
            await until(lambda: wire.gateway.metrics.events["held_back"])
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.gather(*(served(station) for station in others))
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)
            yield wire, flooder
            flooder.transport.abort()  # its goodbye would wait behind all that it has sent

    async def test_of_calls_from_one_station_leaves_fifty_others_served_and_loses_none(self) -> None:
        data = [orjson.dumps([2, f"{n}", "Heartbeat", {}]).decode() for n in range(100)]
        async with self.flooded(data, messages_per_s=200.0, message_burst=20) as (wire, flooder):
            assert sum(1 for cp_id, _ in wire.central.calls if cp_id != "FLOOD") == 1_000
            # Answers come in the order of the calls: none was dropped.
            for number in range(60):
                assert orjson.loads(await asyncio.wait_for(flooder.recv(), DEADLINE_S))[1] == f"{number % 100}"
            assert wire.counted() == ({}, {})

    async def test_of_garbage_from_one_station_leaves_fifty_others_served(self) -> None:
        async with self.flooded(["nonsense"] * 50, messages_per_s=200.0, message_burst=20) as (wire, _):
            assert set(wire.counted()[1]) == {"unreadable"}
            assert sum(1 for cp_id, _ in wire.central.calls if cp_id != "FLOOD") == 1_000

    async def test_a_station_that_comes_back_with_a_long_queue_is_slowed_and_loses_nothing(self) -> None:
        async with (
            wire_gateway(open_registration=True, messages_per_s=500.0, message_burst=10) as wire,
            wire.connect("CP-001") as station,
        ):
            for number in range(200):
                await station.send(orjson.dumps([2, f"{number}", "Heartbeat", {}]).decode())
            answers = [orjson.loads(await asyncio.wait_for(station.recv(), DEADLINE_S))[1] for _ in range(200)]
            assert answers == [f"{number}" for number in range(200)]
            assert wire.gateway.metrics.events["held_back"] >= 1
