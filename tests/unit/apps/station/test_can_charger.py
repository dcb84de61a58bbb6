"""A station's power path over CAN: real frames on a virtual channel, a real charger node at the other end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from can import Message

from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.apps.charger.wheel import NodeWheel
from evcharging.apps.station.can_charger import CanCharger, ChargerAbsent
from evcharging.can.frames import CurrentLimit, Inject, InjectKind, decode
from evcharging.can.link import ChargerLink
from evcharging.can.virtual import VirtualCan
from evcharging.domain.charger_state import ChargerFaulted, ChargerState, FaultCode, NoVehicleReady, VehiclePresent
from evcharging.domain.levels import L2_THREE_PHASE
from evcharging.domain.vehicle import DEMO_VEHICLE, VehicleSpec
from evcharging.ocpp.station.interfaces import Reading

DEADLINE_S = 30.0
SPEC = L2_THREE_PHASE


class Outlet:
    """A charger, its channel, and the station's end of it."""

    def __init__(self, node: ChargerNode, charger: CanCharger, limits: list[float]) -> None:
        self.node = node
        self.charger = charger
        self.limits = limits
        self.changed = asyncio.Event()
        self.cable: list[bool] = []
        charger.on_cable(self.cable.append)
        charger.watch(self.changed.set)

    @property
    def reading(self) -> Reading:
        return self.charger.advance(0.0)

    async def until(self, condition: Callable[[Reading], bool]) -> Reading:
        async with asyncio.timeout(DEADLINE_S):
            while not condition(self.reading):
                await asyncio.sleep(0.01)
        return self.reading


@pytest.fixture
async def outlet(request: pytest.FixtureRequest) -> AsyncIterator[Outlet]:
    channel = f"station-{request.node.name}"[:60]
    vehicle = DEMO_VEHICLE

    def choose(chosen: VehicleSpec) -> None:
        nonlocal vehicle
        vehicle = chosen

    limits: list[float] = []

    def overhear(message: Message) -> None:
        frame = decode(message)
        if isinstance(frame, CurrentLimit):
            limits.append(frame.limit_amps)

    async with contextlib.AsyncExitStack() as stack:
        ends = [VirtualCan(channel) for _ in range(3)]
        for end in ends:
            stack.push_async_callback(end.close)
        node = ChargerNode(ends[0], make_model(SPEC, register_wh=500.0), vehicle=lambda: vehicle)
        wheel = NodeWheel()
        wheel.add(node)
        turning = asyncio.create_task(wheel.run())
        ends[2].add_listener(overhear)
        link = stack.enter_context(_closing(ChargerLink(ends[1])))
        charger = await CanCharger.connect(link, SPEC, channel=channel, timeout_s=DEADLINE_S, choose_vehicle=choose)
        yield Outlet(node, charger, limits)
        charger.close()
        turning.cancel()
        wheel.remove(node)
        await asyncio.gather(turning, return_exceptions=True)


@contextlib.contextmanager
def _closing(link: ChargerLink):
    link.open()
    yield link
    link.close()


async def test_reads_what_the_charger_says(outlet: Outlet) -> None:
    reading = outlet.reading
    assert reading.register_wh == 500.0
    assert reading.state is ChargerState.AVAILABLE
    assert (reading.amps, reading.power_w, reading.soc) == (0.0, 0.0, None)
    assert reading.fault is FaultCode.NONE
    assert reading.limit_amps == SPEC.rated_amps


async def test_a_limit_goes_over_can_and_is_seen_in_the_current(outlet: Outlet) -> None:
    outlet.charger.plug(DEMO_VEHICLE)
    outlet.charger.set_limit_amps(10.0)
    outlet.charger.start()
    reading = await outlet.until(lambda reading: reading.state is ChargerState.CHARGING)
    assert outlet.limits[-1] == 10.0
    assert reading.amps == pytest.approx(10.0, abs=0.01)
    assert reading.power_w == pytest.approx(10.0 * 3 * 230.9, rel=0.001)
    assert reading.limit_amps == 10.0
    assert reading.soc == pytest.approx(0.30, abs=0.01)


async def test_a_limit_under_six_ampere_suspends(outlet: Outlet) -> None:
    outlet.charger.plug(DEMO_VEHICLE)
    outlet.charger.set_limit_amps(5.9)
    outlet.charger.start()
    reading = await outlet.until(lambda reading: reading.state is ChargerState.SUSPENDED)
    assert (reading.amps, reading.limit_amps) == (0.0, 0.0)


async def test_a_limit_above_the_rating_counts_as_the_rating(outlet: Outlet) -> None:
    outlet.charger.set_limit_amps(100.0)
    assert outlet.reading.limit_amps == SPEC.rated_amps


async def test_plugs_in_the_vehicle_that_came(outlet: Outlet) -> None:
    outlet.charger.plug(VehicleSpec(40.0, 11.0, 0.55))
    reading = await outlet.until(lambda reading: reading.state is ChargerState.PLUGGED and reading.soc is not None)
    assert reading.soc == pytest.approx(0.55, abs=0.01)


async def test_a_session_goes_by_the_register_and_ends(outlet: Outlet) -> None:
    outlet.charger.plug(DEMO_VEHICLE)
    outlet.charger.start()
    await outlet.until(lambda reading: reading.register_wh > 501.0)
    outlet.charger.stop()
    await outlet.until(lambda reading: reading.state is ChargerState.FINISHED)
    assert outlet.reading.register_wh == pytest.approx(outlet.node.model.register_wh, abs=0.11)
    assert outlet.reading.power_w == 0.0


async def test_a_vehicle_on_its_way_is_shown_as_plugged_and_draws_nothing(outlet: Outlet) -> None:
    outlet.charger.plug(DEMO_VEHICLE)
    outlet.charger.start()
    assert outlet.reading.state is ChargerState.PLUGGED
    assert outlet.reading.power_w == 0.0


async def test_refuses_what_cannot_be_before_the_charger_has_answered(outlet: Outlet) -> None:
    with pytest.raises(NoVehicleReady, match="plug a vehicle first"):
        outlet.charger.start()
    outlet.charger.plug(DEMO_VEHICLE)
    with pytest.raises(VehiclePresent):
        outlet.charger.plug(DEMO_VEHICLE)


async def test_another_vehicle_may_come_after_a_session(outlet: Outlet) -> None:
    outlet.charger.plug(DEMO_VEHICLE)
    outlet.charger.start()
    await outlet.until(lambda reading: reading.state is ChargerState.CHARGING)
    outlet.charger.stop()
    outlet.charger.unplug()
    outlet.charger.plug(DEMO_VEHICLE)
    outlet.charger.start()
    await outlet.until(lambda reading: reading.state is ChargerState.CHARGING)


async def test_faults_go_both_ways(outlet: Outlet) -> None:
    outlet.charger.inject_fault(FaultCode.GROUND_FAULT)
    reading = await outlet.until(lambda reading: reading.fault is FaultCode.GROUND_FAULT)
    assert reading.state is ChargerState.FAULTED
    with pytest.raises(ChargerFaulted, match="GROUND_FAULT"):
        outlet.charger.start()
    assert outlet.charger.clear_fault()
    await outlet.until(lambda reading: reading.fault is FaultCode.NONE)


async def test_tells_of_vehicles_that_come_and_go_by_themselves(outlet: Outlet) -> None:
    outlet.node.obey(Inject(InjectKind.PLUG))
    await outlet.until(lambda _: outlet.cable == [True])
    outlet.charger.plug(DEMO_VEHICLE)  # taken as it is
    assert outlet.reading.state is ChargerState.PLUGGED
    outlet.node.obey(Inject(InjectKind.UNPLUG))
    await outlet.until(lambda _: outlet.cable == [True, False])


async def test_says_nothing_of_vehicles_that_the_station_had_plugged(outlet: Outlet) -> None:
    outlet.charger.plug(DEMO_VEHICLE)
    await outlet.until(lambda _: outlet.node.model.plugged and outlet.charger.link.readings.plugged)
    outlet.charger.unplug()
    await outlet.until(lambda _: not outlet.charger.link.readings.plugged)
    assert outlet.cable == []


async def test_tells_each_change_to_who_watches(outlet: Outlet) -> None:
    outlet.node.obey(Inject(InjectKind.FAULT, FaultCode.CONTACTOR_WELDED))
    await asyncio.wait_for(outlet.changed.wait(), DEADLINE_S)


async def test_a_silent_charger_is_a_communication_loss(outlet: Outlet) -> None:
    outlet.charger.plug(DEMO_VEHICLE)
    outlet.charger.start()
    await outlet.until(lambda reading: reading.power_w > 0.0)
    outlet.node.report = lambda **_: None  # type: ignore[method-assign]
    reading = await outlet.until(lambda reading: reading.fault is FaultCode.COMMUNICATION_LOSS)
    assert (reading.state, reading.power_w) == (ChargerState.FAULTED, 0.0)
    with pytest.raises(ChargerFaulted):
        outlet.charger.start()


async def test_a_vehicle_stays_on_the_cable_of_a_charger_that_is_not_heard_until_it_can_be_told(
    outlet: Outlet,
) -> None:
    outlet.charger.plug(DEMO_VEHICLE)
    outlet.charger.start()
    await outlet.until(lambda reading: reading.power_w > 0.0)
    report = outlet.node.report
    outlet.node.report = lambda **_: None  # type: ignore[method-assign]
    await outlet.until(lambda reading: reading.fault is FaultCode.COMMUNICATION_LOSS)
    with pytest.raises(ChargerFaulted, match="not heard"):
        outlet.charger.unplug()
    outlet.charger.stop()
    outlet.node.report = report  # type: ignore[method-assign]
    await outlet.until(lambda reading: reading.state is ChargerState.FINISHED)
    assert outlet.cable == []  # it is the vehicle that the station knows of
    outlet.charger.unplug()
    await outlet.until(lambda reading: reading.state is ChargerState.AVAILABLE)
    assert outlet.cable == []


async def test_a_vehicle_that_could_not_be_told_of_is_not_taken_for_plugged(outlet: Outlet) -> None:
    report = outlet.node.report
    outlet.node.report = lambda **_: None  # type: ignore[method-assign]
    await outlet.until(lambda reading: reading.fault is FaultCode.COMMUNICATION_LOSS)
    with pytest.raises(ChargerFaulted, match="not heard"):
        outlet.charger.plug(DEMO_VEHICLE)
    outlet.node.report = report  # type: ignore[method-assign]
    await outlet.until(lambda reading: reading.fault is FaultCode.NONE)
    outlet.node.obey(Inject(InjectKind.PLUG))
    await outlet.until(lambda _: outlet.cable == [True])


async def test_says_where_no_charger_is() -> None:
    end = VirtualCan("station-nobody")
    with (
        _closing(ChargerLink(end)) as link,
        pytest.raises(ChargerAbsent, match="evcharging charger --cp-id station-nobody"),
    ):
        await CanCharger.connect(link, SPEC, channel="station-nobody", timeout_s=0.05)
    await end.close()
