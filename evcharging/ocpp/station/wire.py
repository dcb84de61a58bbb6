"""What a version of OCPP does for the station core: requests out, answers and the CSMS's calls in.

The core knows states, transactions and samples; a `Wire` knows actions and payloads. One `Wire` belongs to one
station. Making a request never sends it: the core does, in its order, and keeps what must not be lost.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from evcharging.domain.authorization import IdTagInfo
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.interfaces import ConnectorState, Reading, TransactionRecord
from evcharging.ocpp.versions import OcppVersion


class Request(NamedTuple):
    """A call to be made, by the names of the version's schema."""

    action: str
    payload: Payload


class RegistrationStatus(StrEnum):
    """What the CSMS said to a boot."""

    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class BootAnswer(NamedTuple):
    """`interval_s` is the heartbeat interval if accepted, else the pause before the next boot; 0 leaves it open."""

    status: RegistrationStatus
    interval_s: float
    csms_time: datetime


class TransactionAnswer(NamedTuple):
    """`transaction_id` is None where the answer names none; `info` where it says nothing about the card."""

    transaction_id: int | str | None = None
    info: IdTagInfo | None = None


NOTHING_SAID: Final = TransactionAnswer()
"""What the answer to a MeterValues says; told by identity."""


class Context(StrEnum):
    """Why a meter was read, as both versions spell it."""

    BEGIN = "Transaction.Begin"
    END = "Transaction.End"
    PERIODIC = "Sample.Periodic"
    CLOCK = "Sample.Clock"
    TRIGGER = "Trigger"


@dataclass(slots=True)
class Sample:
    """A meter reading on its way to the CSMS; `register_wh` is the reading's register in whole Wh."""

    at_s: float
    context: Context
    register_wh: int
    reading: Reading


class Condition(StrEnum):
    """What is wrong with a connector, as the core names it."""

    NONE = "none"
    GROUND_FAULT = "ground fault"
    OVER_TEMPERATURE = "over-temperature"
    CONTACTOR_WELDED = "contactor welded"
    COMMUNICATION_LOSS = "communication loss"
    RESET_FAILED = "reset failed"
    EMERGENCY_STOP = "emergency stop"


class Wire(Protocol):
    """One station's end of one version of OCPP. An answer that it cannot read it raises as InvalidAnswer."""

    @property
    def version(self) -> OcppVersion:
        """The version it speaks."""

    @property
    def unknown_transaction_id(self) -> int | None:
        """The name of a transaction whose beginning the CSMS never took (1.6: -1); None where it has one anyway."""

    def boot(self, reason: str) -> Request:
        """Tell why it booted: PowerUp, RemoteReset, FirmwareUpdate, Triggered, ... (2.0.1; 1.6 leaves it out)."""

    def read_boot(self, answer: Payload) -> BootAnswer:
        """Read the answer to `boot`."""

    def heartbeat(self) -> Request:
        """Make a heartbeat."""

    def status(self, connector_id: int, state: ConnectorState, condition: Condition, at_s: float) -> Request | None:
        """Tell a connector's state (0: the whole station); None where this version's word for it did not change."""

    def status_forgotten(self) -> None:
        """The CSMS may know no state any more (boot, trigger): the next `status` always makes a request."""

    def authorize(self, id_tag: str) -> Request:
        """Ask about a card."""

    def read_authorization(self, answer: Payload) -> IdTagInfo:
        """Read the answer to `authorize`."""

    def began(self, record: TransactionRecord, sample: Sample) -> Request:
        """Tell the beginning of a transaction."""

    def state_changed(self, record: TransactionRecord, state: ConnectorState, sample: Sample) -> Request | None:
        """Tell that charging was suspended or goes on; None where only the status tells it (1.6)."""

    def metered(self, connector_id: int, record: TransactionRecord | None, sample: Sample) -> Request | None:
        """Tell a sample, in a transaction or outside one; None where nothing is to be told of it."""

    def ended(self, record: TransactionRecord, samples: list[Sample], id_tag: str | None) -> Request:
        """Tell the end of a transaction.

        `samples` are all that were kept for this, the last is of the end; `id_tag` is the card that ended it, if any.
        """

    def read_transaction(self, action: str, answer: Payload) -> TransactionAnswer:
        """Read the answer to a kept transaction message."""

    def follow(self, payload: Payload, transaction_id: int | str) -> None:
        """Put the id that the CSMS gave to a transaction into a waiting message of it; 2.0.1 has nothing to do."""

    def firmware_status(self, status: str) -> Request:
        """Tell a step of a firmware update, in the words of 1.6."""

    def diagnostics_status(self, status: str) -> Request:
        """Tell a step of an upload of diagnostics, in the words of 1.6."""

    def handle(self, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        """Do what the CSMS asks and answer it. Raises CallRejected."""
