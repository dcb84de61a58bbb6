"""Reservations: a connector, or any one of them, kept for a card or its group until it comes or the time is over."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from evcharging.domain.authorization import same_id_tag
from evcharging.ocpp.station.connector import Connector, Reservation
from evcharging.ocpp.station.interfaces import ConnectorState, HeldReservation

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

WHOLE_STATION = 0


class ReserveOutcome(StrEnum):
    """The standard's answers to ReserveNow."""

    ACCEPTED = "Accepted"
    FAULTED = "Faulted"
    OCCUPIED = "Occupied"
    REJECTED = "Rejected"
    UNAVAILABLE = "Unavailable"


class Reservations:
    """What is reserved at one station; `anywhere` holds those for connector 0."""

    __slots__ = ("_station", "anywhere")

    def __init__(self, station: Station) -> None:
        self._station = station
        self.anywhere: list[Reservation] = []

    def reserve(
        self, connector_id: int, reservation_id: int, id_tag: str, parent_id_tag: str | None, expires_at_s: float
    ) -> ReserveOutcome:
        """Reserve; the same id again replaces what it stood for."""
        station = self._station
        now_s = station.clock.now_s()
        connector = station.connector(connector_id)
        if (connector is None and connector_id != WHOLE_STATION) or expires_at_s <= now_s:
            return ReserveOutcome.REJECTED
        outcome = self._free_anywhere(reservation_id) if connector is None else _free(connector, reservation_id)
        if outcome is not ReserveOutcome.ACCEPTED:
            return outcome
        moved_from = self._forget(reservation_id)
        self._hold(HeldReservation(connector_id, reservation_id, id_tag, parent_id_tag, expires_at_s))
        if isinstance(moved_from, Connector):
            moved_from.refresh()
        return outcome

    def held(self) -> tuple[HeldReservation, ...]:
        """Every reservation that holds."""
        at = [(one.number, one.reservation) for one in self._station.connectors if one.reservation is not None]
        anywhere = [(WHOLE_STATION, one) for one in self.anywhere]
        return tuple(HeldReservation(number, *_told(one)) for number, one in [*anywhere, *at])

    def hold_again(self, held: Iterable[HeldReservation]) -> None:
        """Take up reservations from before the station was made anew, as far as their time is not over."""
        for one in held:
            known = one.connector_id == WHOLE_STATION or self._station.connector(one.connector_id) is not None
            if known and one.expires_at_s > self._station.clock.now_s():
                self._hold(one)

    def cancel(self, reservation_id: int) -> bool:
        """Forget a reservation; return whether there was one with that id."""
        held = self._forget(reservation_id)
        if isinstance(held, Connector):
            held.refresh()
        return held is not None

    def admits(self, connector: Connector, id_tag: str, parent_id_tag: str | None, *, strict: bool = True) -> bool:
        """Return whether a card may use a connector. Not `strict`: or may be in the group it is reserved for."""
        reservation = connector.reservation
        if reservation is not None:
            return _fits(reservation, id_tag, parent_id_tag) or (
                not strict and reservation.parent_id_tag is not None and parent_id_tag is None
            )
        if any(_fits(held, id_tag, parent_id_tag) for held in self.anywhere):
            return True
        unreserved = sum(other.free and other.reservation is None for other in self._station.connectors)
        return unreserved > len(self.anywhere)

    def use(self, connector: Connector, id_tag: str, parent_id_tag: str | None) -> int | None:
        """The card that it was for has come: return the id of the reservation, which is over, None without one."""
        held = [connector.reservation] if connector.reservation is not None else self.anywhere
        for reservation in held:
            if _fits(reservation, id_tag, parent_id_tag):
                self.cancel(reservation.reservation_id)
                return reservation.reservation_id
        return None

    def _hold(self, held: HeldReservation) -> None:
        station, number = self._station, held.reservation_id
        timer = station.clock.call_later(held.expires_at_s - station.clock.now_s(), lambda: self._expire(number))
        reservation = Reservation(number, held.id_tag, held.parent_id_tag, held.expires_at_s, timer)
        connector = station.connector(held.connector_id)
        if connector is None:
            self.anywhere.append(reservation)
        else:
            connector.reservation = reservation
            connector.refresh()

    def _forget(self, reservation_id: int) -> Connector | Reservation | None:
        """Drop a reservation and return where it was, or itself if it was for any connector."""
        for connector in self._station.connectors:
            if connector.reservation is not None and connector.reservation.reservation_id == reservation_id:
                connector.forget_reservation()
                return connector
        for reservation in self.anywhere:
            if reservation.reservation_id == reservation_id:
                reservation.timer.cancel()
                self.anywhere.remove(reservation)
                return reservation
        return None

    def _free_anywhere(self, reservation_id: int) -> ReserveOutcome:
        """Whether one connector is left that is neither in use nor promised."""
        outcomes = [_free(connector, reservation_id) for connector in self._station.connectors]
        promised = sum(held.reservation_id != reservation_id for held in self.anywhere)
        if outcomes.count(ReserveOutcome.ACCEPTED) > promised:
            return ReserveOutcome.ACCEPTED
        refusals = [outcome for outcome in outcomes if outcome is not ReserveOutcome.ACCEPTED]
        return ReserveOutcome.OCCUPIED if not refusals or ReserveOutcome.OCCUPIED in refusals else refusals[0]

    def _expire(self, reservation_id: int) -> None:
        if self.cancel(reservation_id):
            self._station.log(f"Reservation {reservation_id} expired")


def _free(connector: Connector, reservation_id: int) -> ReserveOutcome:
    if connector.state is ConnectorState.FAULTED:
        return ReserveOutcome.FAULTED
    if not connector.operative or connector.closing:
        return ReserveOutcome.UNAVAILABLE
    held = connector.reservation
    if held is not None and held.reservation_id == reservation_id:
        return ReserveOutcome.ACCEPTED
    if held is not None or connector.state is not ConnectorState.AVAILABLE:
        return ReserveOutcome.OCCUPIED
    return ReserveOutcome.ACCEPTED


def _told(reservation: Reservation) -> tuple[int, str, str | None, float]:
    return reservation.reservation_id, reservation.id_tag, reservation.parent_id_tag, reservation.expires_at_s


def _fits(reservation: Reservation, id_tag: str, parent_id_tag: str | None) -> bool:
    return same_id_tag(reservation.id_tag, id_tag) or same_id_tag(reservation.parent_id_tag, parent_id_tag)
