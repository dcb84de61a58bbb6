"""How a station with a behaviour profile lives: vehicles come, ask the policy, charge, are watched by it, and leave.

One task a station. A wait for the policy ends at once when the surroundings change.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from evcharging.domain.behaviour import BehaviourProfile
from evcharging.domain.charger_state import ChargerError, ChargerState
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.policy import CONTINUE, Action, Decision, Signals, decide, decide_while_metering, refuse_price
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.charging import LOCAL
from evcharging.ocpp.station.connector import Connector, Transaction
from evcharging.ocpp.stop_notes import StopNote

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

APPROACH_S: Final = 1.0
"""Between a remote start and the vehicle's plug, and between the end of a session and its leaving."""
LEAVE_AGAIN_S: Final = 5.0
"""Between two attempts to take out a cable whose charger cannot be told."""
_CAPACITIES_KWH: Final = (32.0, 77.0)
_ARRIVAL_SOC: Final = (0.10, 0.60)


class Life:
    """The sessions of one station by its profile."""

    __slots__ = ("_profile", "_station", "_waking", "decision")

    def __init__(self, station: Station, profile: BehaviourProfile) -> None:
        self._station = station
        self._profile = profile
        self._waking: asyncio.Future[None] | None = None
        self.decision: Decision | None = None
        """What the policy said last."""

    async def run(self) -> None:
        """Bring sessions until cancelled; a profile without sessions only ever watches those begun from afar."""
        if self._profile.offline_probability > 0.0:
            self._come_to_the_next_heartbeat()
        if not self._profile.sessions:
            return
        while True:
            pause_s = self._profile.pause_s.at(self._station.rng.random())
            await self._station.clock.sleep(max(APPROACH_S, pause_s))  # the last vehicle has to leave
            await self._session()

    def environment_changed(self) -> None:
        """Decide again, at once, about waits and about what runs."""
        if self._waking is not None and not self._waking.done():
            self._waking.set_result(None)
        for connector in self._station.connectors:
            connector.read()
            self.watch(connector)

    def refuses_start(self) -> str | None:
        """Why no session may begin now by the policy, None where one may."""
        decision = self._decide()
        return None if decision.action in {Action.CHARGE, Action.RAMP_DOWN} else decision.reason

    def begins(self, connector: Connector, transaction: Transaction) -> None:
        """Put a session under the policy's limits, however it began, and end it when its driver leaves."""
        transaction.cap_wh = self._profile.max_energy_wh
        transaction.factor = self._factor(CONTINUE)
        if transaction.leaves_at_s is not None or self._station.settings.vehicles_come:
            self._stay(connector, transaction)

    def watch(self, connector: Connector) -> None:
        """Let the policy look at a session; it goes on, slower or not, or ends here. So does one that is full."""
        transaction = connector.transaction
        if transaction is None:
            return
        station = self._station
        if connector.reading.state is ChargerState.FINISHED:
            station.charging.end(connector, LOCAL, note=StopNote(EndReason.BATTERY_FULL, "Battery full"))
            return
        energy_wh = connector.reading.register_wh - transaction.record.meter_start_wh
        decision = decide_while_metering(
            energy_wh,
            transaction.cap_wh,
            limits=self._profile.limits,
            price=station.environment.price,
            hour=station.environment.hour,
            signals=self._signals(),
        )
        self._note(decision)
        if decision.action is Action.STOP:
            station.log(wording.stopping(decision, station.environment))
            station.charging.end(connector, LOCAL, note=StopNote(self._cause(energy_wh, transaction), decision.reason))
            return
        factor = self._factor(decision)
        if factor != transaction.factor:
            transaction.factor = factor
            station.power.apply(connector)
            if decision.action is Action.RAMP_DOWN:
                station.log(wording.slowed(decision, connector.reading.limit_amps))

    def vehicle_wanted(self, connector: Connector) -> None:
        """A card or a remote start was accepted where no vehicle is: one comes."""
        if self._station.settings.vehicles_come:
            self._station.clock.call_later(APPROACH_S, lambda: self._come(connector))

    def session_over(self, connector: Connector) -> None:
        """The vehicle leaves soon after its session."""
        if not self._station.settings.vehicles_come:
            return
        vehicle = connector.vehicle
        self._station.clock.call_later(APPROACH_S, lambda: self._leaves(connector, vehicle))

    async def _session(self) -> None:
        """One vehicle: wait for the policy, plug in, show the card, stay, and leave if nothing ended it before."""
        station, profile = self._station, self._profile
        await self._until_the_policy_allows()
        connector = next((one for one in station.connectors if one.free and one.vehicle is None), None)
        if connector is None or not station.registration.may_transact or connector.reservation is not None:
            return
        id_tag = profile.id_tags[int(station.rng.random() * len(profile.id_tags))]
        try:
            station.arrivals.plug_in(connector, self._vehicle())
        except ChargerError:
            return
        vehicle = connector.vehicle
        accepted = await station.arrivals.present(id_tag, connector.number)
        transaction = connector.transaction
        if not accepted or transaction is None:
            self._leaves(connector, vehicle)
            return
        over = transaction.over = asyncio.get_running_loop().create_future()
        if transaction.leaving is None:
            self._stay(connector, transaction)
        await over

    def _stay(self, connector: Connector, transaction: Transaction) -> None:
        """Have the driver come back to end a session, unless something ends it before."""
        station, clock = self._station, self._station.clock

        def leave() -> None:
            if connector.transaction is transaction:
                station.charging.end(connector, LOCAL, id_tag=transaction.record.id_tag)

        if transaction.leaves_at_s is None:
            transaction.leaves_at_s = clock.now_s() + self._profile.stay_s.at(station.rng.random())
        transaction.leaving = clock.call_later(max(0.0, transaction.leaves_at_s - clock.now_s()), leave)

    def _cause(self, energy_wh: float, transaction: Transaction) -> EndReason:
        if transaction.cap_wh is not None and energy_wh >= transaction.cap_wh:
            return EndReason.TARGET_REACHED
        dear = refuse_price(self._profile.limits, self._station.environment.price) is not None
        return EndReason.PRICE_TOO_HIGH if dear else EndReason.POLICY_STOP

    def _decide(self) -> Decision:
        environment = self._station.environment
        return decide(
            0.0,
            limits=self._profile.limits,
            price=environment.price,
            hour=environment.hour,
            signals=self._signals(),
        )

    async def _until_the_policy_allows(self) -> None:
        station, said = self._station, ""
        while True:
            environment = station.environment
            decision = self._decide()
            self._note(decision)
            if decision.action in {Action.CHARGE, Action.RAMP_DOWN}:
                return
            line = wording.waiting(decision, environment)
            if line != said:
                station.log(line)
                said = line
            self._waking = asyncio.get_running_loop().create_future()
            try:
                await self._wait(self._waking, self._profile.retry_s)
            finally:
                self._waking = None

    async def _wait(self, awaited: asyncio.Future[None], longest_s: float) -> None:
        """Return when `awaited` is done, or after `longest_s`."""
        timer = self._station.clock.call_later(longest_s, lambda: None if awaited.done() else awaited.set_result(None))
        try:
            await awaited
        finally:
            timer.cancel()

    def _come_to_the_next_heartbeat(self) -> None:
        """Now and then, at the pace of heartbeats, the connection is lost on purpose."""
        station, profile = self._station, self._profile

        def perhaps_leave() -> None:
            if station.link.connected and station.rng.random() < profile.offline_probability:
                absent_s = profile.offline_s.at(station.rng.random())
                station.log(wording.gone_offline(absent_s))
                station.link.drop(absent_s=absent_s)
            self._come_to_the_next_heartbeat()

        station.clock.call_later(profile.heartbeat_interval_s, perhaps_leave)

    def _come(self, connector: Connector) -> None:
        if connector.expected is None or connector.vehicle is not None:
            return
        try:
            self._station.arrivals.plug_in(connector, self._vehicle())
        except ChargerError as error:
            self._station.log(f"Vehicle not plugged in - {error}")
        else:
            if connector.transaction is None:
                self.session_over(connector)

    def _leaves(self, connector: Connector, vehicle: VehicleSpec | None, *, told: bool = False) -> None:
        """Take out the cable of a vehicle without a session; a charger that cannot be told is told later."""
        if connector.vehicle is not vehicle or connector.transaction is not None:
            return
        try:
            self._station.arrivals.unplug(connector)
        except ChargerError as error:
            if not told:
                self._station.log(f"Vehicle not unplugged - {error}")
            self._station.clock.call_later(LEAVE_AGAIN_S, lambda: self._leaves(connector, vehicle, told=True))

    def _vehicle(self) -> VehicleSpec:
        """A vehicle whose charger takes what the profile's energy step asks for."""
        rng = self._station.rng
        power_kw = self._profile.session_power_kw(rng.random())
        return VehicleSpec(
            capacity_kwh=rng.uniform(*_CAPACITIES_KWH),
            onboard_kw=power_kw,
            arrival_soc=rng.uniform(*_ARRIVAL_SOC),
            dc_peak_kw=power_kw,
        )

    def _factor(self, decision: Decision) -> float:
        factor = self._profile.power_factor(self._station.environment.hour)
        return factor if decision.limit_factor is None else min(factor, decision.limit_factor)

    def _signals(self) -> Signals | None:
        environment = self._station.environment
        load, carbon, event = environment.grid_load, environment.carbon_intensity, environment.demand_response
        if load is None and carbon is None and not event:
            return None
        return Signals(load, carbon, bool(event))

    def _note(self, decision: Decision) -> None:
        if self.decision != decision:
            self.decision = decision
            self._station.listener.changed(self._station.settings.station_id)
