"""What an operator, a monitor or a program can ask of Central: one transaction each, its events through the outbox."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from evcharging.apps.ev_central.driver_tokens import TokenBarred
from evcharging.apps.ev_central.errors import StateForbids, UnknownChargePoint, UnknownSession
from evcharging.apps.ev_central.placement import place_at
from evcharging.apps.ev_central.prices import Prices, price_of, signal_of
from evcharging.apps.ev_central.requests import accept
from evcharging.apps.ev_central.station_policy import PolicyOf, anything_goes
from evcharging.apps.ev_central.statuses import fault, heal
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.apps.ev_central.work import Work
from evcharging.bus.protocol import BusError
from evcharging.domain.states import OUT_OF_REACH, ChargePointState
from evcharging.messages.charge_points import Health
from evcharging.messages.commands import LONGEST_EXPIRY_S, CommandAction
from evcharging.messages.control import HealthReport, Registration
from evcharging.messages.drivers import Denial, DriverRequest
from evcharging.messages.envelope import Event, new_traceparent
from evcharging.messages.network import SiteSignal
from evcharging.messages.topics import HEALTH, SITE_SIGNALS
from evcharging.store.simulator import network
from evcharging.store.simulator.rows import ChargePointRow, Phase, TariffRow
from evcharging.store.simulator.session_records import Page, SessionRecord, Totals, find_session, list_sessions, sum_up

__all__ = ["Operations", "Pricing"]

ENGINE_UNREACHABLE = "engine_unreachable"


@dataclass(frozen=True, slots=True)
class Pricing:
    """The tariff in force, per kWh."""

    price: Decimal
    solar_price: Decimal | None
    currency: str


class Operations:
    """Central's application service, behind HTTP and TCP alike.

    Raises, from every method: `DatabaseUnavailable`; nothing was done then, and the caller may ask again.
    """

    def __init__(
        self,
        transactions: Transactions,
        prices: Prices,
        *,
        site_id: str,
        start_timeout_s: float,
        policy: PolicyOf = anything_goes,
    ) -> None:
        self._transactions = transactions
        self._prices = prices
        self._site_id = site_id
        self._start_timeout_s = start_timeout_s
        self._policy = policy

    async def register(self, body: Registration) -> bool:
        """Make a charge point known, or change what is known of it. Returns whether it is new."""
        async with self._transactions.begin() as work:
            await work.load(cp_ids=[body.cp_id])
            new = body.cp_id not in work.charge_points
            point = work.charge_point(body.cp_id)
            point.location = body.location or point.location
            point.health_url = body.health_url or point.health_url
            point.rating_kw = body.rating_kw or point.rating_kw
            if body.price_per_kwh is not None:
                point.price_per_kwh = Decimal(str(body.price_per_kwh))
            work.changed(point)
        return new

    async def report_health(self, cp_id: str, body: HealthReport) -> None:
        """Take a monitor's word. Bad health becomes FAULT; good health heals what a monitor had faulted, nothing else.

        Raises:
            UnknownChargePoint: register it first.
        """
        async with self._transactions.begin() as work:
            await work.load(cp_ids=[cp_id])
            point = _known(work, cp_id)
            if body.healthy:
                heal(work, point)
            else:
                fault(work, point, body.detail or ENGINE_UNREACHABLE)
        health = Health(ts=self._transactions.now(), cp_id=cp_id, **body.model_dump())
        with contextlib.suppress(BusError):  # the next report follows in a second; what counts was stored above
            await self._transactions.bus.publish(
                Event(HEALTH, health, str(uuid4()), self._transactions.source, new_traceparent())
            )

    async def start(
        self, cp_id: str, *, driver_id: str, kwh: float | None = None, connector_id: int | None = None
    ) -> str:
        """Start a session for a driver, as if the driver had asked. Returns the command's id.

        Raises:
            UnknownChargePoint, StateForbids: it cannot take a driver now.
        """
        async with self._transactions.begin() as work:
            await work.load(cp_ids=[cp_id])
            point = _known(work, cp_id)
            place = await place_at(work, cp_id, driver_id, connector_id=connector_id)
            barred = place.value if isinstance(place, Denial) else self._policy(cp_id)
            if isinstance(place, Denial) or barred is not None:
                raise StateForbids(cp_id, point.state, "start a session", why=barred or "")
            request = DriverRequest(
                ts=work.now,
                request_id=f"req-{uuid4().hex}",
                driver_id=driver_id,
                cp_id=cp_id,
                connector_id=connector_id,
                kwh=kwh,
            )
            try:
                _, command_id = await accept(
                    work,
                    place,
                    request=request,
                    cause=request.request_id,
                    traceparent=new_traceparent(),
                    start_timeout_s=self._start_timeout_s,
                    currency=self._prices.currency,
                )
            except TokenBarred as barred:
                raise StateForbids(cp_id, point.state, "start a session", why=str(barred)) from None
        return command_id

    async def stop(self, cp_id: str) -> str:
        """Take a charge point out of service, ending its session first. Returns the command's id.

        Raises:
            UnknownChargePoint; StateForbids: it is stopped already, or out of reach.
        """
        async with self._transactions.begin() as work:
            await work.load(cp_ids=[cp_id])
            point = _known(work, cp_id)
            if point.state in (ChargePointState.STOPPED, *OUT_OF_REACH):
                raise StateForbids(cp_id, point.state, "go to STOPPED")
            return self._command_stop(work, point)

    async def resume(self, cp_id: str) -> str:
        """Put a charge point back into service. Returns the command's id.

        Raises:
            UnknownChargePoint; StateForbids: it is not stopped, or out of reach with no stop standing.
        """
        async with self._transactions.begin() as work:
            await work.load(cp_ids=[cp_id])
            point = _known(work, cp_id)
            if point.state is not ChargePointState.STOPPED and not point.administrative_stop:
                raise StateForbids(cp_id, point.state, "resume to ACTIVATED")
            return self._command_resume(work, point)

    async def stop_all(self) -> list[str]:
        """Stop every charge point whose state allows it; returns the commands' ids."""
        async with self._transactions.begin() as work:
            points = await network.every_charge_point(work.transaction)
            work.charge_points.update({point.cp_id: point for point in points})
            barred = (ChargePointState.STOPPED, *OUT_OF_REACH)
            return [self._command_stop(work, point) for point in points if point.state not in barred]

    async def resume_all(self) -> list[str]:
        """Resume every charge point that is stopped; returns the commands' ids."""
        async with self._transactions.begin() as work:
            points = await network.every_charge_point(work.transaction)
            return [
                self._command_resume(work, point)
                for point in points
                if point.administrative_stop or point.state is ChargePointState.STOPPED
            ]

    async def inject(self, cp_id: str, kind: str, **payload: Any) -> str:
        """Have a charge point act out an event: unplug, plug, fault, clear. Returns the command's id.

        Raises:
            UnknownChargePoint; StateForbids: nobody is there to do it.
        """
        async with self._transactions.begin() as work:
            await work.load(cp_ids=[cp_id])
            point = _known(work, cp_id)
            if point.state is ChargePointState.DISCONNECTED:
                raise StateForbids(cp_id, point.state, f"inject {kind}")
            return work.order(
                CommandAction.INJECT,
                cp_id,
                cause=str(uuid4()),
                valid_s=LONGEST_EXPIRY_S,
                payload={"kind": kind, **payload},
                traceparent=new_traceparent(),
            )

    async def stop_session(self, session_id: str) -> str:
        """End a session by an operator's order. Returns the command's id.

        Raises:
            UnknownSession; StateForbids: it has ended.
        """
        async with self._transactions.begin() as work:
            await work.load(session_ids=[session_id])
            session = work.sessions.get(session_id)
            if session is None:
                raise UnknownSession(session_id)
            await work.load(cp_ids=[session.cp_id])
            if session.status != "ACTIVE" or session.phase is Phase.ENDING:
                state = work.charge_point(session.cp_id).state
                raise StateForbids(session.cp_id, state, f"stop session {session_id}", why="it has ended")
            return work.order(
                CommandAction.STOP_SUPPLY,
                session.cp_id,
                cause=str(uuid4()),
                valid_s=LONGEST_EXPIRY_S,
                session=session,
                payload={"reason": "operator_stop"},
                traceparent=new_traceparent(),
            )

    async def pricing(self) -> Pricing:
        """The tariff in force."""
        row = self._prices.latest
        return Pricing(row.price_per_kwh, row.solar_price_per_kwh, row.currency)

    async def set_pricing(self, price: Decimal, currency: str, solar_price: Decimal | None = None) -> Pricing:
        """Put a price into force at once, also for sessions that run in the same currency.

        Raises:
            InvalidPricing: a price out of range, or no ISO 4217 currency.
        """
        row = TariffRow(
            valid_from=self._transactions.now(),
            price_per_kwh=price,
            solar_price_per_kwh=solar_price,
            currency=currency,
        )
        price_of(row)
        async with self._transactions.begin() as work:
            await network.add_tariff(work.transaction, row)
            work.send(SITE_SIGNALS, signal_of(row, self._site_id, work.now), cause=str(uuid4()), kind="site-signal")
        self._prices.change(row)
        return await self.pricing()

    async def announce_pricing(self) -> None:
        """Publish the tariff in force, so that whoever reads the signals from the beginning finds it."""
        async with self._transactions.begin() as work:
            signal = signal_of(self._prices.latest, self._site_id, work.now)
            work.send(SITE_SIGNALS, signal, cause=str(uuid4()), kind="site-signal")

    async def hear_of_pricing(self, signal: SiteSignal) -> None:
        """Read the tariffs anew where another copy of Central announces one that this copy does not know."""
        if not self._prices.knows(signal):
            await self._prices.reload(self._transactions.database)

    async def totals(self) -> Totals:
        """Energy and earnings of every session so far, in the currency in force."""
        async with self._transactions.database.read() as transaction:
            return await sum_up(transaction, self._prices.currency)

    async def sessions(
        self,
        *,
        station_id: str | None = None,
        driver_id: str | None = None,
        status: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[SessionRecord]:
        """Sessions, newest first.

        Raises:
            InvalidCursor: ``cursor`` is none that this method gave.
        """
        async with self._transactions.database.read() as transaction:
            return await list_sessions(
                transaction, cp_id=station_id, driver_id=driver_id, status=status, limit=limit, cursor=cursor
            )

    async def session(self, session_id: str) -> SessionRecord:
        """One session.

        Raises:
            UnknownSession: there is none of that id.
        """
        async with self._transactions.database.read() as transaction:
            record = await find_session(transaction, session_id)
        if record is None:
            raise UnknownSession(session_id)
        return record

    def _command_stop(self, work: Work, point: ChargePointRow) -> str:
        point.administrative_stop = True
        work.changed(point)
        return work.order(
            CommandAction.STOP_CP,
            point.cp_id,
            cause=str(uuid4()),
            connector_id=0,
            valid_s=LONGEST_EXPIRY_S,
            traceparent=new_traceparent(),
        )

    def _command_resume(self, work: Work, point: ChargePointRow) -> str:
        point.administrative_stop = False
        work.changed(point)
        return work.order(
            CommandAction.RESUME_CP,
            point.cp_id,
            cause=str(uuid4()),
            connector_id=0,
            valid_s=LONGEST_EXPIRY_S,
            traceparent=new_traceparent(),
        )


def _known(work: Work, cp_id: str) -> ChargePointRow:
    point = work.charge_points.get(cp_id)
    if point is None:
        raise UnknownChargePoint(cp_id)
    return point
