"""The protocol faults that a station can be asked for: what each does, and what the standard wants of a CSMS then.

Data only, for `evcharging.ocpp.station.faults`, which does them, and for the reference page, which tells of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from evcharging.ocpp.errors import Fault, error_code
from evcharging.ocpp.versions import OcppVersion

__all__ = ["CLOSED", "FAULTS", "NO_ANSWER", "RESULT", "BadFaultPlan", "FaultKind", "FaultPlan", "FaultSpec", "Where"]

NO_ANSWER: Final = "no answer"
RESULT: Final = "CALLRESULT"
CLOSED: Final = "connection closed"


class Where(StrEnum):
    """Which frames a fault can befall."""

    BEFORE_CALL = "before a call of the station"
    """The faulty frame goes out first, under an id of its own; the call follows when it was answered or was not."""
    CALL = "a call of the station"
    ANSWER = "an answer of the station"
    INCOMING = "an answer of the CSMS"


class FaultKind(StrEnum):
    """The names by which faults are asked for."""

    BAD_JSON = "bad-json"
    NOT_A_FRAME = "not-a-frame"
    WRONG_MESSAGE_TYPE = "wrong-message-type"
    UNKNOWN_ACTION = "unknown-action"
    WRONG_TYPE = "wrong-type"
    MISSING_FIELD = "missing-field"
    UNKNOWN_FIELD = "unknown-field"
    TOO_LONG_VALUE = "too-long-value"
    LONG_MESSAGE_ID = "long-message-id"
    REUSED_ID = "reused-id"
    WRONG_TRANSACTION_ID = "wrong-transaction-id"
    NOT_UTF8 = "not-utf8"
    BINARY_FRAME = "binary-frame"
    OVERSIZED_FRAME = "oversized-frame"
    FLOOD = "flood"
    DUPLICATE_CALL = "duplicate-call"
    DROPPED_SOCKET = "dropped-socket"
    MISSING_ANSWER = "missing-answer"
    LATE_ANSWER = "late-answer"
    DUPLICATE_ANSWER = "duplicate-answer"
    WRONG_ANSWER_ID = "wrong-answer-id"
    ERROR_ANSWER = "error-answer"
    BAD_ANSWER = "bad-answer"
    LOST_ANSWER = "lost-answer"


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One fault.

    Attributes:
        does: what happens instead of a good exchange.
        reaction: what the standard asks of a CSMS.
        in_16, in_201: the outcomes that agree with it, of `NO_ANSWER`, `RESULT`, `CLOSED` and `Fault`; empty where the
            station cannot see the reaction.
    """

    where: Where
    does: str
    reaction: str
    in_16: frozenset[str] = frozenset()
    in_201: frozenset[str] = frozenset()

    def agrees(self, outcome: str, version: OcppVersion) -> bool:
        """Whether ``outcome``, an error code in that version's spelling or one of the words, is as it should be."""
        allowed = self.in_16 if version is OcppVersion.V16 else self.in_201
        return outcome in {error_code(Fault(one), version) if one in _CODES else one for one in allowed}


_CODES: Final = frozenset(fault.value for fault in Fault)
_ANY: Final = frozenset(
    {NO_ANSWER, RESULT, Fault.FORMAT_VIOLATION, Fault.PROTOCOL_ERROR, Fault.GENERIC_ERROR, Fault.RPC_FRAMEWORK_ERROR}
)


def _before(does: str, reaction: str, in_16: set[str], in_201: set[str] | None = None) -> FaultSpec:
    return FaultSpec(
        Where.BEFORE_CALL, does, reaction, frozenset(in_16), frozenset(in_16 if in_201 is None else in_201)
    )


FAULTS: Final[Mapping[FaultKind, FaultSpec]] = {
    FaultKind.BAD_JSON: _before(
        "a text that breaks off in the middle",
        "1.6: ignored, since nobody can be answered; 2.0.1: CALLERROR with id -1 and RpcFrameworkError. The connection"
        " stays.",
        {NO_ANSWER},
        {Fault.RPC_FRAMEWORK_ERROR},
    ),
    FaultKind.NOT_A_FRAME: _before(
        "JSON that is no array",
        "as bad-json",
        {NO_ANSWER},
        {Fault.RPC_FRAMEWORK_ERROR},
    ),
    FaultKind.WRONG_MESSAGE_TYPE: _before(
        "message type 9",
        "1.6: ignored; 2.0.1: CALLERROR MessageTypeNotSupported",
        {NO_ANSWER},
        {Fault.MESSAGE_TYPE_NOT_SUPPORTED},
    ),
    FaultKind.UNKNOWN_ACTION: _before(
        "a call of an action that no version knows", "CALLERROR NotImplemented", {Fault.NOT_IMPLEMENTED}
    ),
    FaultKind.WRONG_TYPE: _before(
        "a field of another type than the schema has",
        "CALLERROR TypeConstraintViolation (FormationViolation or FormatViolation will do)",
        {Fault.TYPE_CONSTRAINT, Fault.FORMAT_VIOLATION},
    ),
    FaultKind.MISSING_FIELD: _before(
        "a required field is left out",
        "CALLERROR OccurenceConstraintViolation, OccurrenceConstraintViolation in 2.0.1 (ProtocolError,"
        " FormationViolation or FormatViolation will do)",
        {Fault.OCCURRENCE_CONSTRAINT, Fault.PROTOCOL_ERROR, Fault.FORMAT_VIOLATION},
    ),
    FaultKind.UNKNOWN_FIELD: _before(
        "a field that the schema does not know",
        "CALLERROR FormationViolation (FormatViolation in 2.0.1), or answered where the CSMS is set to tolerate it",
        {RESULT, Fault.FORMAT_VIOLATION, Fault.PROPERTY_CONSTRAINT},
    ),
    FaultKind.TOO_LONG_VALUE: _before(
        "a text of 3,000 characters where the schema allows fewer",
        "CALLERROR PropertyConstraintViolation (FormationViolation, FormatViolation or TypeConstraintViolation"
        " will do)",
        {Fault.PROPERTY_CONSTRAINT, Fault.FORMAT_VIOLATION, Fault.TYPE_CONSTRAINT},
    ),
    FaultKind.LONG_MESSAGE_ID: _before(
        "a message id of 100 characters; 36 are allowed",
        "not settled by the standard: refused, answered or ignored, and the connection stays",
        set(_ANY),
    ),
    FaultKind.REUSED_ID: _before(
        "a call under the id of the one before",
        "not settled by the standard: an answer or a refusal, and the connection stays",
        set(_ANY),
    ),
    FaultKind.WRONG_TRANSACTION_ID: _before(
        "a message of a transaction that never was",
        "CALLRESULT: what happened is a fact to be kept, and a CALLERROR would only make the station repeat it",
        {RESULT},
    ),
    FaultKind.NOT_UTF8: _before(
        "a text message that is no UTF-8",
        "the connection is failed with 1007 (RFC 6455, section 8.1), and the station connects again; as bad-json will"
        " do, since it costs nothing but that text",
        {CLOSED, NO_ANSWER},
        {CLOSED, NO_ANSWER, Fault.RPC_FRAMEWORK_ERROR},
    ),
    FaultKind.BINARY_FRAME: _before(
        "the call as a binary message",
        "OCPP-J is text: closed with 1003, or ignored",
        {CLOSED, NO_ANSWER},
        {CLOSED, NO_ANSWER, Fault.RPC_FRAMEWORK_ERROR},
    ),
    FaultKind.OVERSIZED_FRAME: _before(
        "a DataTransfer of 2 MiB",
        "closed with 1009 where it is over the CSMS's limit; else refused or answered",
        {CLOSED, *_ANY, Fault.PROPERTY_CONSTRAINT},
    ),
    FaultKind.FLOOD: _before(
        "100 heartbeats at once, against the rule of one call at a time",
        "answered, or limited: ignored or closed. Other stations notice nothing.",
        {RESULT, NO_ANSWER, CLOSED},
    ),
    FaultKind.DUPLICATE_CALL: FaultSpec(
        Where.CALL,
        "the same call, with the same id, twice",
        "acted on once; the second time ignored, or answered with the same transaction id",
        frozenset({NO_ANSWER, RESULT}),
        frozenset({NO_ANSWER, RESULT}),
    ),
    FaultKind.DROPPED_SOCKET: FaultSpec(
        Where.CALL,
        "the connection is cut as soon as the call has left",
        "the call counts, and its repetition after the reconnect counts once: the same transaction id. The new"
        " connection wins.",
    ),
    FaultKind.MISSING_ANSWER: FaultSpec(
        Where.ANSWER, "a call of the CSMS is never answered", "its call times out, and the next one goes out"
    ),
    FaultKind.LATE_ANSWER: FaultSpec(
        Where.ANSWER, "a call of the CSMS is answered 40 s late", "timed out by then; the late answer is ignored"
    ),
    FaultKind.DUPLICATE_ANSWER: FaultSpec(
        Where.ANSWER, "an answer is sent twice", "the second matches no call and is ignored"
    ),
    FaultKind.WRONG_ANSWER_ID: FaultSpec(
        Where.ANSWER, "an answer names an id that was never asked", "ignored; the call times out"
    ),
    FaultKind.ERROR_ANSWER: FaultSpec(
        Where.ANSWER, "a call of the CSMS is done, and answered with CALLERROR InternalError", "told as such; no repeat"
    ),
    FaultKind.BAD_ANSWER: FaultSpec(
        Where.ANSWER,
        "an answer that breaks its schema",
        "told as an invalid answer to whoever asked; there is no answer to an answer",
    ),
    FaultKind.LOST_ANSWER: FaultSpec(
        Where.INCOMING,
        "an answer of the CSMS is lost on its way, so that the station times out and repeats transaction messages",
        "the repetition is recognised by its content, not its id: the same transaction id, counted once",
    ),
}
"""Every fault by its name, in the order of the reference page."""


class BadFaultPlan(ValueError):
    """Text that names no plan; says what was got and what would be right."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Which faults, and how often.

    Attributes:
        rates: share of the frames that a fault can befall, from 0 to 1.
        patience_s: how long the reaction to a faulty frame is waited for.
        late_s: how late a late answer is.
    """

    rates: Mapping[FaultKind, float] = field(default_factory=dict)
    patience_s: float = 2.0
    late_s: float = 40.0

    @classmethod
    def parse(cls, text: str) -> FaultPlan:
        """Read ``bad-json=0.05,late-answer=0.1``; ``all=0.01`` gives every fault that rate.

        Raises:
            BadFaultPlan: a name or a rate is none, or those of one place add up to more than 1.
        """
        rates: dict[FaultKind, float] = {}
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            name, _, rate = part.partition("=")
            kinds = tuple(FaultKind) if name.strip() == "all" else (_kind(name.strip()),)
            rates.update(dict.fromkeys(kinds, _rate(part, rate.strip())))
        for where in Where:
            together = math.fsum(rate for kind, rate in rates.items() if _place(FAULTS[kind].where) is _place(where))
            if together > 1.0 + 1e-9:
                raise BadFaultPlan(
                    f"the rates of the faults at {where.value} add up to {together:g}; expected 1 at most"
                )
        return cls(rates)


def _place(where: Where) -> Where:
    """A call meets one fault at most, before it or itself."""
    return Where.CALL if where is Where.BEFORE_CALL else where


def _kind(name: str) -> FaultKind:
    try:
        return FaultKind(name)
    except ValueError:
        raise BadFaultPlan(f"{name!r} is no fault; expected {', '.join(FaultKind)} or all") from None


def _rate(part: str, rate: str) -> float:
    try:
        value = float(rate)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise BadFaultPlan(f"{part!r}: expected NAME=RATE with a rate from 0 to 1, such as bad-json=0.05")
    return value
