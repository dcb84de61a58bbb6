"""What an OCPP station is given and what it tells: its charger, clock, surroundings, listener and host.

Everything here is a seam: the station core runs behind it, hosts and load runs stand in front of it. Nothing here does
anything, and nothing here knows a version of OCPP. The station itself is `evcharging.ocpp.station.station.Station`.
"""

from collections.abc import Callable, Mapping, Sequence
from ssl import SSLContext
from typing import Any, Final, Protocol

from evcharging.domain.charger_reading import Reading
from evcharging.domain.charger_state import FaultCode
from evcharging.domain.levels import ChargerSpec
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station.records import (
    ConnectorSnapshot,
    ConnectorState,
    HeldReservation,
    StandingOrders,
    StationSnapshot,
    StillThere,
    TransactionRecord,
)
from evcharging.ocpp.station.settings import Backoff, StationSettings

__all__ = [
    "LOG_LINES_KEPT",
    "Backoff",
    "ChargerFactory",
    "ClientSocket",
    "ConnectorSnapshot",
    "ConnectorState",
    "Dial",
    "Environment",
    "HeldReservation",
    "QueueStore",
    "Reading",
    "SendFilter",
    "StandingOrders",
    "StationCharger",
    "StationClock",
    "StationControl",
    "StationListener",
    "StationSettings",
    "StationSnapshot",
    "StillThere",
    "Timer",
    "TransactionRecord",
]

LOG_LINES_KEPT: Final = 50
"""Log lines a station keeps in memory, newest last."""

EVENTS_UNTOLD_AT_MOST: Final = 100
"""Transaction events (2.0.1) that may have gone out after a record was last kept. Who goes on from such a record leaves
so many numbers out: a gap says that events are missing, the same number twice would be a lie."""


class Timer(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Forget the call; after it was made this changes nothing."""


class StationClock(Protocol):
    """The time a station lives by: the wall clock, or one that is moved by hand or runs faster."""

    def now_s(self) -> float:
        """Return the time in Unix seconds."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay_s` seconds of this clock from now."""

    async def sleep(self, delay_s: float) -> None:
        """Return after `delay_s` seconds of this clock."""


class Environment(Protocol):
    """What the surroundings of a station are now; read at every decision, never kept by the station."""

    @property
    def price(self) -> float:
        """Price of a kWh in `currency`."""

    @property
    def currency(self) -> str:
        """ISO 4217 code."""

    @property
    def hour(self) -> int:
        """Hour of the day, 0 to 23, by the site's clock."""

    @property
    def grid_load(self) -> float | None:
        """Load of the grid as a fraction, None where unknown."""

    @property
    def carbon_intensity(self) -> float | None:
        """Grams of CO2 a kWh, None where unknown."""

    @property
    def demand_response(self) -> bool | None:
        """Whether the grid asks for less now, None where unknown."""

    def watch(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change` at once after every change; return what ends that."""


class StationCharger(Protocol):
    """The power path of one connector. Commands take effect at the time of the last `advance`.

    A command that the charger cannot follow raises `evcharging.domain.charger_state.ChargerError`.
    """

    @property
    def spec(self) -> ChargerSpec:
        """The rating plate."""

    def plug(self, vehicle: VehicleSpec) -> None:
        """Put a vehicle on the cable."""

    def unplug(self) -> None:
        """Take the cable out; a session that runs is over."""

    def set_limit_amps(self, amps: float) -> None:
        """Set the current on offer per phase."""

    def start(self) -> None:
        """Close the contactor for the plugged vehicle."""

    def stop(self) -> None:
        """Open the contactor; that vehicle's session is over."""

    def advance(self, now_s: float) -> Reading:
        """Bring the charger to `now_s` (Unix seconds, never earlier than the last) and read it."""

    def inject_fault(self, code: FaultCode) -> None:
        """Let the outlet fail with `code`."""

    def clear_fault(self) -> bool:
        """End an injected fault; return whether none is left."""

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call `on_change` when the state changes by itself; a model that only moves in `advance` ignores it."""

    def close(self) -> None:
        """Let go of the hardware, if any; the station has ended."""


class StationListener(Protocol):
    """What a host hears from its stations; one listener serves all, so each call names the station. All cheap."""

    def log(self, station_id: str, line: str) -> None:
        """One log line, `[HH:MM:SS] message`."""

    def called(self, station_id: str, action: str, seconds: float | None, outcome: str) -> None:
        """A call ended: `outcome` is "ok", "timeout", "lost", "invalid" (answer), "unsendable" or the error code."""

    def connected(self, station_id: str) -> None:
        """Its socket is open."""

    def disconnected(self, station_id: str, reason: str) -> None:
        """Its socket is gone, or could not be opened."""

    def registered(self, station_id: str, status: str, seconds: float) -> None:
        """Its boot was answered with `status`, `seconds` after the socket opened."""

    def transaction_began(self, record: TransactionRecord) -> None:
        """Power may flow; the CSMS has perhaps not answered yet."""

    def transaction_ended(self, record: TransactionRecord) -> None:
        """It is over; `record.delivered` is still False."""

    def transaction_settled(self, record: TransactionRecord) -> None:
        """The CSMS answered its end (`delivered`), or the station gave up on it after all its attempts."""

    def message_dropped(self, station_id: str, action: str, reason: str) -> None:
        """A transaction message was given up after all its attempts."""

    def changed(self, station_id: str) -> None:
        """Its snapshot is another one now: a state, a sample, a policy decision."""


class QueueStore(Protocol):
    """Where transaction messages wait. Entries are JSON objects; the station calls this in order, one at a time."""

    def load(self) -> list[dict[str, Any]]:
        """Return what was kept, oldest first."""

    def append(self, entry: dict[str, Any]) -> None:
        """Keep `entry` behind the others. The same object is changed by the station until it is removed."""

    def update(self, entry: dict[str, Any]) -> None:
        """Keep the new contents of an entry appended before (same `key`)."""

    def remove(self, entry: dict[str, Any]) -> None:
        """Forget an entry appended before (same `key`)."""

    def close(self) -> None:
        """Let go of the medium, keeping what is on it."""


class ClientSocket(Protocol):
    """An open websocket, station side."""

    @property
    def subprotocol(self) -> str | None:
        """What the CSMS chose."""

    def send(self, data: bytes) -> None:
        """Send one text message."""

    def ping(self) -> None:
        """Send a ping; a peer that is silent for long is dropped by the shell."""

    async def close(self, code: int = 1000) -> None:
        """Close with `code` and wait for the peer, for a short while."""

    def abort(self) -> None:
        """Drop the connection at once."""


class Dial(Protocol):
    """How a station opens its websocket; `evcharging.ocpp.websocket_client.dial`, or a loopback in tests."""

    async def __call__(
        self,
        url: str,
        *,
        subprotocols: Sequence[str],
        headers: Mapping[str, str],
        ssl_context: SSLContext | None,
        source_address: str | None,
        on_text: Callable[[bytes], None],
        on_closed: Callable[[str], None],
        max_frame_bytes: int,
        open_timeout_s: float,
    ) -> ClientSocket:
        """Open `url`, or raise OcppError or OSError. `on_closed` is called once, with the reason."""


class SendFilter(Protocol):
    """What may disturb the frames of a station on purpose (protocol faults); see `evcharging.ocpp.station.faults`."""

    def outgoing(
        self,
        data: bytes,
        send: Callable[[bytes], None],
        drop: Callable[[], None],
        left_late: Callable[[str], None],
    ) -> None:
        """Pass `data` on to `send` as it is, changed, later, twice or never; `drop` cuts the socket.

        `left_late` is told the message id of a call that was held back on purpose and goes out now.
        """

    def incoming(self, data: bytes, receive: Callable[[bytes], None], drop: Callable[[], None]) -> None:
        """The same for what arrives."""


ChargerFactory = Callable[[int], StationCharger]
"""Makes the charger of a connector by its number."""


class StationControl(Protocol):
    """What a host holds of a station: `evcharging.ocpp.station.station.Station`.

    Made with `Station(settings, *, clock, environment, listener, dial, chargers: ChargerFactory | None = None)`.
    """

    @property
    def logs(self) -> tuple[str, ...]:
        """The last `LOG_LINES_KEPT` log lines, newest last."""

    async def run(self) -> None:
        """Live until stopped. Cancelled, the station is without power: nothing more is sent, its queue store stands."""

    async def stop(self, *, reason: str = "Local") -> None:
        """End transactions with `reason`, deliver what waits if there is a connection, close with 1001, end `run`."""

    def drop(self) -> None:
        """Cut the socket, as a broken network does."""

    def snapshot(self) -> StationSnapshot:
        """Return the station as it is now."""

    def plug_in(self, connector_id: int, vehicle: VehicleSpec) -> None:
        """Put a vehicle on the cable. Raises ChargerError where one is there."""

    def unplug(self, connector_id: int) -> None:
        """Take the cable out, as the driver does."""

    async def present(self, id_tag: str, connector_id: int | None = None) -> bool:
        """Hold a card to the reader: it starts a session, or stops the one it began; return whether it was accepted."""

    def inject_fault(self, connector_id: int, code: FaultCode) -> None:
        """Let an outlet fail."""

    def clear_fault(self, connector_id: int) -> bool:
        """End an injected fault; return whether none is left."""

    def emergency_stop(self, connector_id: int) -> None:
        """Press the emergency button: the transaction ends with EmergencyStop."""
