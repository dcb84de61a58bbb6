import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from evcharging.domain.behaviour import BehaviourProfile, Range
from evcharging.domain.charger_state import ChargerFaulted, ChargerState, FaultCode
from evcharging.domain.levels import L2
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station.interfaces import Reading
from evcharging.ocpp.station.model_charger import ModelCharger
from tests.support.station_world import NOON_S, VEHICLE, World, living


def profile(**values: object) -> BehaviourProfile:
    return BehaviourProfile(
        **{
            "name": "test",
            "pause_s": Range(10.0, 10.0),
            "stay_s": Range(60.0, 60.0),
            "energy_step_wh": Range(20.0, 20.0),
            "id_tags": ("ABC123",),
            **values,
        }
    )


def said(world: World, *without: str) -> list[str]:
    skipped = ("Connector", "Connected", "BootNotification", *without)
    return [line for line in world.messages() if not line.startswith(skipped)]


async def test_a_station_lives_sessions_by_its_profile():
    async with living(profile=profile()) as world:
        await world.clock.advance(170)
        csms = world.csms
        assert len(csms.of("StartTransaction")) == 3
        assert len(csms.of("StopTransaction")) == 2
        assert csms.of("Authorize")[0] == {"idTag": "ABC123"}
        assert csms.statuses()[:6] == ["Available", "Preparing", "Charging", "Finishing", "Available", "Preparing"]
        assert said(world)[:3] == [
            "Authorization successful - ABC123",
            "Charging started (price: 20.00 INR)",
            "Charging stopped (0.12 kWh delivered)",
        ]


async def test_meter_values_carry_the_energy_step_of_the_profile():
    async with living(profile=profile(meter_interval_s=10.0)) as world:
        await world.clock.advance(65)
        registers = [int(one["meterValue"][0]["sampledValue"][0]["value"]) for one in world.csms.of("MeterValues")]
        assert len(registers) == 5
        assert all(19 <= after - before <= 21 for before, after in itertools.pairwise(registers))


async def test_a_price_over_the_threshold_is_waited_out_and_a_drop_acts_at_once():
    async with living(profile=profile(charge_if_price_below=25.0, retry_s=1000.0)) as world:
        world.environment.change(price=24.0 + 2)
        await world.clock.advance(50)
        assert said(world) == ["Price too high (26.00 INR) - waiting"]
        world.environment.change(price=27.0)
        await world.settle()
        assert said(world)[-1] == "Price too high (27.00 INR) - waiting"
        assert world.csms.of("Authorize") == []
        world.environment.change(price=25.0)
        await world.settle()
        assert len(world.csms.of("StartTransaction")) == 1
        assert "Charging started (price: 25.00 INR)" in said(world)


async def test_a_price_that_rises_during_a_session_ends_it_at_once():
    async with living(profile=profile()) as world:
        await world.clock.advance(20)
        assert world.station.snapshot().kw > 0
        world.environment.change(price=30.0)
        await world.settle()
        assert world.csms.statuses()[-1] == "Finishing"
        assert "Price too high (30.00 INR) - stopping" in said(world)
        assert world.station.snapshot().policy == "stop: Price too high (30.00 > 25.00)"
        actions = [action for action in world.csms.actions() if action in ("StatusNotification", "StopTransaction")]
        assert actions[-2:] == ["StatusNotification", "StopTransaction"]  # the reason comes before the end
        told = world.csms.of("StatusNotification")[-1]
        assert (told["info"], told["vendorId"]) == ("Price too high (30.00 > 25.00)", "evcharging")
        assert told["vendorErrorCode"] == "evcharging:price_too_high"


async def test_peak_hours_block_a_profile_that_does_not_allow_them_and_halve_the_power_of_one_that_does():
    async with living(profile=profile(allow_peak_hours=False)) as world:
        world.environment.change(hour=19)
        await world.clock.advance(20)
        assert said(world) == ["Peak hour block (hour 19) - waiting"]
    async with living(profile=profile(energy_step_wh=Range(60.0, 60.0))) as world:
        await world.clock.advance(20)
        full_kw = world.station.snapshot().kw
        world.environment.change(hour=18)
        await world.clock.advance(10)
        assert full_kw == 7.36
        assert world.station.snapshot().kw == full_kw / 2


async def test_the_energy_cap_ends_a_session():
    settings = {"max_energy_kwh": 0.03, "stay_s": Range(900.0, 900.0)}
    async with living(profile=profile(**settings)) as world:
        await world.clock.advance(35)
        assert said(world)[2:] == ["Energy cap reached (0.03 kWh) - stopping", "Charging stopped (0.03 kWh delivered)"]


async def test_a_grid_that_is_loaded_ramps_the_session_down_and_a_free_one_gives_the_power_back():
    async with living(profile=profile(energy_step_wh=Range(60.0, 60.0), stay_s=Range(900.0, 900.0))) as world:
        await world.clock.advance(15)
        world.environment.change(grid_load=0.9)
        await world.clock.advance(5)
        assert world.station.snapshot().connectors[0].limit_amps == 16.0
        assert any(line.startswith("Grid load too high (0.90 > 0.80) - ramping down") for line in said(world))
        world.environment.change(grid_load=None)
        await world.clock.advance(5)
        assert world.station.snapshot().connectors[0].limit_amps == 32.0


async def test_a_profile_without_sessions_stays_online_and_begins_none():
    async with living(profile=profile(sessions=False, heartbeat_interval_s=60.0)) as world:
        await world.clock.advance(3700)
        assert set(world.csms.actions()) == {"BootNotification", "StatusNotification", "Heartbeat"}


async def test_a_vehicle_comes_for_a_remote_start_and_leaves_after_its_stop():
    async with living(profile=profile(sessions=False)) as world:
        answer = await world.csms.call("RemoteStartTransaction", {"idTag": "TAG"})
        assert answer == {"status": "Accepted"}
        await world.clock.advance(3)
        assert world.csms.statuses() == ["Available", "Preparing", "Charging"]
        assert await world.csms.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
        await world.clock.advance(3)
        assert world.csms.of("StopTransaction")[0]["reason"] == "Remote"
        assert world.csms.statuses()[-2:] == ["Finishing", "Available"]


async def test_no_vehicle_comes_by_itself_where_that_is_switched_off():
    async with living(profile=profile(sessions=False), vehicles_come=False) as world:
        await world.csms.call("RemoteStartTransaction", {"idTag": "TAG"})
        await world.clock.advance(30)
        assert world.csms.of("StartTransaction") == []
        world.station.plug_in(1, VehicleSpec(60.0, 7.4, 0.2))
        await world.settle()
        assert len(world.csms.of("StartTransaction")) == 1


async def test_a_flaky_station_leaves_keeps_its_messages_and_delivers_them_on_return():
    flaky = profile(
        offline_probability=1.0, offline_s=Range(40.0, 40.0), heartbeat_interval_s=30.0, stay_s=Range(35.0, 35.0)
    )
    async with living(profile=flaky, configuration={"MeterValueSampleInterval": "10"}) as world:
        await world.clock.advance(31)
        assert not world.station.snapshot().connected
        assert "Going offline for 40 s" in world.messages()
        await world.clock.advance(36)
        assert world.station.snapshot().queued >= 2
        assert world.csms.of("StopTransaction") == []
        await world.clock.advance(7)
        assert world.csms.of("StopTransaction")[0]["timestamp"] == "2025-06-16T00:00:45.000Z"
        assert len(world.csms.openings) == 2


async def test_a_refused_card_makes_the_vehicle_leave():
    async with living(profile=profile()) as world:
        world.csms.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
        await world.clock.advance(12)
        assert world.csms.statuses() == ["Available", "Preparing", "Available"]


async def test_the_same_seed_lives_the_same_life():
    async def life(seed: int) -> list[str]:
        wide = profile(pause_s=Range(1.0, 60.0), stay_s=Range(10.0, 100.0), energy_step_wh=Range(5.0, 50.0))
        async with living(profile=wide, seed=seed) as world:
            await world.clock.advance(600)
            return list(world.station.logs)

    assert await life(1) == await life(1)
    assert await life(1) != await life(2)


async def test_a_vehicle_that_is_full_ends_its_session():
    async with living(profile=profile(stay_s=Range(1e6, 1e6), max_energy_kwh=None)) as world:
        await world.clock.advance(1)
        world.station.plug_in(1, VehicleSpec(32.0, 7.36, 0.98999))
        assert await world.station.present("TAG", 1)
        await world.clock.advance(60)
        assert len(world.csms.of("StopTransaction")) == 1


async def test_a_session_that_a_driver_ends_is_told_without_a_note():
    async with living(profile=profile()) as world:
        await world.clock.advance(75)
        assert len(world.csms.of("StopTransaction")) == 1
        assert not any("vendorErrorCode" in told for told in world.csms.of("StatusNotification"))


async def test_a_session_begun_from_afar_ends_when_its_driver_leaves_as_any_other():
    async with living(profile=profile(sessions=False, max_energy_kwh=None)) as world:
        await world.csms.call("RemoteStartTransaction", {"idTag": "TAG"})
        await world.clock.advance(59)
        assert world.csms.of("StopTransaction") == []
        await world.clock.advance(5)
        (stop,) = world.csms.of("StopTransaction")
        assert stop["idTag"] == "TAG"
        assert world.csms.statuses()[-1] == "Available"


async def test_where_people_move_vehicles_they_also_end_sessions():
    async with living(profile=profile(sessions=False, max_energy_kwh=None), vehicles_come=False) as world:
        world.station.plug_in(1, VehicleSpec(60.0, 7.4, 0.2))
        await world.csms.call("RemoteStartTransaction", {"idTag": "TAG"})
        await world.clock.advance(3000)
        assert len(world.csms.of("StartTransaction")) == 1
        assert world.csms.of("StopTransaction") == []


async def test_a_remote_start_is_refused_while_the_policy_lets_no_session_begin():
    async with living(profile=profile(sessions=False)) as world:
        world.environment.change(price=26.0)
        assert await world.csms.call("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Rejected"}
        assert said(world) == ["Remote start refused - Price too high (26.00 > 25.00)"]
        await world.clock.advance(5)
        assert world.csms.of("StartTransaction") == []
        world.environment.change(price=25.0)
        assert await world.csms.call("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Accepted"}


class FarCharger(ModelCharger):
    """A charger at the end of a line: with the line broken no command arrives, and it shows as not heard.

    `deaf` names the commands that fail while it is heard, as in the moment before its silence is noticed.
    """

    def __init__(self) -> None:
        super().__init__(L2, now_s=NOON_S)
        self.heard = True
        self.deaf: set[str] = set()
        self._on_change: Callable[[], None] = lambda: None

    def watch(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change

    def line(self, *, holds: bool) -> None:
        if not holds:
            super().stop()  # without its station, a charger lets nothing flow
        self.heard = holds
        self._on_change()

    def plug(self, vehicle: VehicleSpec) -> None:
        self._tell("plug")
        super().plug(vehicle)

    def unplug(self) -> None:
        self._tell("unplug")
        super().unplug()

    def start(self) -> None:
        self._tell("start")
        super().start()

    def advance(self, now_s: float) -> Reading:
        reading = super().advance(now_s)
        if self.heard:
            return reading
        return reading._replace(power_w=0.0, state=ChargerState.FAULTED, fault=FaultCode.COMMUNICATION_LOSS)

    def _tell(self, command: str) -> None:
        if not self.heard or command in self.deaf:
            raise ChargerFaulted("the charger cannot be told: not connected")


async def test_a_charger_that_is_gone_costs_its_session_alone_and_sessions_go_on_when_it_is_back():
    charger = FarCharger()
    async with living(profile=profile(), chargers=lambda _: charger) as world:
        await world.clock.advance(20)
        assert world.csms.statuses()[-1] == "Charging"
        charger.line(holds=False)
        await world.clock.advance(300)
        assert world.station.running
        assert world.csms.statuses()[-1] == "Faulted"
        assert world.csms.of("StopTransaction")[0]["reason"] == "Other"
        assert said(world).count("Vehicle not unplugged - the charger cannot be told: not connected") == 1
        charger.line(holds=True)
        await world.clock.advance(60)
        assert world.csms.statuses()[-3:] == ["Available", "Preparing", "Charging"]
        assert len(world.csms.of("StartTransaction")) == 2


@pytest.mark.parametrize("command", ["plug", "start"])
async def test_a_command_that_does_not_arrive_costs_one_session_and_the_next_vehicle_finds_a_free_cable(command: str):
    charger = FarCharger()
    async with living(profile=profile(), chargers=lambda _: charger) as world:
        charger.deaf = {command}
        await world.clock.advance(12)
        assert world.csms.of("StartTransaction") == []
        charger.deaf = set()
        await world.clock.advance(30)
        assert len(world.csms.of("StartTransaction")) == 1


async def test_a_refused_card_whose_vehicle_cannot_leave_yet_leaves_later():
    charger = FarCharger()
    async with living(profile=profile(), chargers=lambda _: charger) as world:
        world.csms.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
        charger.deaf = {"unplug"}
        await world.clock.advance(12)
        assert world.csms.statuses()[-1] == "Preparing"
        charger.deaf = set()
        await world.clock.advance(7)
        assert world.csms.statuses() == ["Available", "Preparing", "Available"]


@pytest.mark.parametrize("command", ["plug", "start"])
async def test_a_remote_start_that_the_charger_cannot_follow_leaves_a_free_cable(command: str):
    charger = FarCharger()
    async with living(profile=profile(sessions=False), chargers=lambda _: charger) as world:
        charger.deaf = {command}
        assert await world.csms.call("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Accepted"}
        await world.clock.advance(70)
        assert world.csms.of("StartTransaction") == []
        assert world.csms.statuses() == ["Available", "Preparing", "Available"]
        charger.deaf = set()
        await world.csms.call("RemoteStartTransaction", {"idTag": "TAG"})
        await world.clock.advance(3)
        assert len(world.csms.of("StartTransaction")) == 1


async def test_a_card_for_the_vehicle_of_an_ended_session_costs_nothing_where_its_charger_cannot_be_told():
    charger = FarCharger()
    async with living(chargers=lambda _: charger) as world:
        await world.charge(vehicle=replace(VEHICLE, arrival_soc=0.5))
        assert await world.station.present("TAG", 1)
        await world.settle()
        charger.deaf = {"plug"}
        assert await world.station.present("TAG", 1)
        await world.settle()
        assert len(world.csms.of("StartTransaction")) == 1
        assert "Charging not started - the charger cannot be told: not connected" in world.messages()
        charger.deaf = set()
        assert await world.station.present("TAG", 1)
        await world.settle()
        assert len(world.csms.of("StartTransaction")) == 2
