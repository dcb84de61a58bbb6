import asyncio
from base64 import b64decode

import orjson

from evcharging.ocpp import asking
from evcharging.ocpp.station.interfaces import Backoff, ClientSocket
from tests.support.station_world import VEHICLE, Csms, World, living


async def test_a_station_dials_its_own_path_with_its_subprotocol_and_credentials():
    async with living(password="open sesame", csms_url="ws://csms/ocpp/") as world:
        opening = world.csms.openings[0]
        assert opening.url == "ws://csms/ocpp/CP-001"
        assert opening.subprotocols == ("ocpp1.6",)
        kind, _, credentials = opening.headers["Authorization"].partition(" ")
        assert (kind, b64decode(credentials)) == ("Basic", b"CP-001:open sesame")


async def test_pauses_between_attempts_double_up_to_the_longest():
    csms = Csms()
    csms.refuse = "404"
    backoff = Backoff(first_s=1.0, longest_s=8.0, jitter=0.0)
    async with living(csms, backoff=backoff) as world:
        for elapsed_s, dialled in ((0.5, 1), (1.0, 2), (2.0, 3), (4.0, 4), (8.0, 5), (8.0, 6)):
            await world.clock.advance(elapsed_s)
            assert world.network.dialled == dialled
        csms.refuse = None
        await world.clock.advance(8)
        assert world.station.online


async def test_a_station_in_a_hurry_dials_at_once_and_pauses_but_shortly():
    csms = Csms()
    csms.refuse = "404"
    async with living(csms, backoff=Backoff(first_s=1.0, longest_s=64.0, jitter=0.0)) as world:
        world.station.link.drop(absent_s=1000.0)
        await world.clock.advance(32.0)
        dialled = world.network.dialled
        world.station.link.hurry()
        await world.settle()
        assert world.network.dialled == dialled + 1
        await world.clock.advance(2.0)
        assert world.network.dialled == dialled + 2


async def test_jitter_spreads_stations_and_repeats_with_the_seed():
    async def first_pause(seed: int, station_id: str) -> str:
        csms = Csms()
        csms.refuse = "busy"
        async with living(csms, seed=seed, station_id=station_id) as world:
            return world.messages()[0]

    lines = [await first_pause(1, f"CP-{number}") for number in range(5)]
    assert len(set(lines)) > 1
    assert lines == [await first_pause(1, f"CP-{number}") for number in range(5)]
    assert lines != [await first_pause(2, f"CP-{number}") for number in range(5)]


async def test_a_csms_that_takes_the_socket_and_never_the_boot_does_not_get_attempts_at_the_first_pause():
    csms = Csms()
    csms.silent = {"BootNotification"}
    async with living(csms, backoff=Backoff(first_s=1.0, longest_s=64.0, jitter=0.0)) as world:
        for _ in range(6):
            world.network.cut()
            await world.clock.advance(1.5)
        assert world.network.dialled == 4


async def test_pings_are_sent_at_web_socket_ping_interval_and_follow_its_change():
    async with living(configuration={"WebSocketPingInterval": "10"}) as world:
        socket = world.station.link._socket
        await world.clock.advance(35)
        assert socket.pings == 3
        answer = await world.csms.call("ChangeConfiguration", {"key": "WebSocketPingInterval", "value": "0"})
        assert answer == {"status": "Accepted"}
        await world.clock.advance(100)
        assert socket.pings == 3


async def test_stopping_a_station_that_pauses_between_attempts_ends_it_at_once():
    csms = Csms()
    csms.refuse = "404"
    async with living(csms) as world:
        await world.station.stop()
        await world.settle()
        assert not world.station.running


async def test_stopping_a_station_whose_opening_gets_no_answer_ends_it_at_once_and_in_silence():
    async def never(_url: str, **_more: object) -> ClientSocket:
        return await asyncio.get_running_loop().create_future()

    def prepare(world: World) -> None:
        world.station.link._dial = never

    async with living(prepare=prepare) as world:
        await world.station.stop()
        await world.settle()
        assert not world.station.running
        assert world.messages() == ["Shutdown (Local)"]


async def test_a_changed_authorization_key_is_used_from_the_next_connection_on():
    async with living(password="0123456789abcdef") as world:
        answer = await world.csms.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": "fedcba9876543210"})
        assert answer == {"status": "Accepted"}
        world.network.cut()
        await world.clock.advance(5)
        credentials = world.csms.openings[1].headers["Authorization"].split()[1]
        assert b64decode(credentials) == b"CP-001:fedcba9876543210"


async def test_a_call_without_an_answer_is_counted_apart_as_a_timeout():
    csms = Csms()
    csms.silent = {"Authorize"}
    async with living(csms, call_timeout_s=0.05) as world:
        accepted = await asyncio.wait_for(world.station.present("TAG", 1), 30)
        assert not accepted
        assert ("Authorize", "timeout") in world.ear.calls


class Holding:
    """A filter that keeps calls back until it is told to let them go."""

    def __init__(self):
        self.held = []

    def outgoing(self, data, send, drop, left_late):
        def let_go():
            left_late(orjson.loads(data)[1])
            send(data)

        self.held.append(let_go)

    def incoming(self, data, receive, drop):
        receive(data)


async def test_a_call_that_was_held_back_on_purpose_counts_from_when_it_left(monkeypatch):
    now_s = 100.0
    monkeypatch.setattr(asking, "perf_counter", lambda: now_s)
    faults = Holding()
    async with living(faults=faults) as world:
        now_s = 102.0
        faults.held.pop()()
        await world.settle()
        assert world.ear.latencies == [("BootNotification", 0.0)]


async def test_a_request_that_the_standard_does_not_know_is_not_sent():
    async with living() as world:
        world.station.plug_in(1, VEHICLE)
        assert not await world.station.present("T" * 21, 1)
        assert world.csms.of("Authorize") == []
        assert ("Authorize", "unsendable") in world.ear.calls
        assert world.station.online
