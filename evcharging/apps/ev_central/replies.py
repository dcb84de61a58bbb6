"""What Central makes of a reply: the command's outcome, and the end of a session whose start was refused."""

from __future__ import annotations

from datetime import timedelta

from evcharging.apps.ev_central.accounts import close_session
from evcharging.apps.ev_central.work import Work
from evcharging.messages.charge_points import StatusSource
from evcharging.messages.commands import CommandAction, CommandOutcome, Reply
from evcharging.messages.envelope import Received
from evcharging.store.simulator.rows import Phase

__all__ = ["handle_reply"]

REFUSED = (CommandOutcome.REJECTED, CommandOutcome.EXPIRED, CommandOutcome.NOT_CONNECTED, CommandOutcome.TIMEOUT)
LONGEST_DESCRIPTION = 500
STATION_BEGINS_WITHIN = timedelta(seconds=120)
"""A station that has taken a remote start waits for the cable: ConnectionTimeOut, usually a minute or two. So long it
is waited for where the gateway does not know that setting of the station's."""
LONGEST_WAIT_S = 600


def handle_reply(work: Work, received: Received[Reply]) -> None:
    """Apply one reply that was not seen before. The command and its session must be loaded."""
    reply = received.message
    command = work.commands.get(reply.command_id)
    if command is None or command.outcome is not None:
        return
    command.outcome = reply.outcome.value
    command.error_code = reply.error_code
    command.error_description = (reply.error_description or "")[:LONGEST_DESCRIPTION] or None
    command.answered_at = reply.ts
    work.changed(command)
    session = work.sessions.get(command.session_id or "")
    if session is None or session.status != "ACTIVE":
        return
    if reply.outcome not in REFUSED:
        if command.action == CommandAction.START_SUPPLY and session.source == StatusSource.OCPP.value:
            session.start_deadline = max(session.start_deadline, reply.ts + _begins_within(reply))
            work.changed(session)
        return
    if command.action == CommandAction.START_SUPPLY and session.phase is Phase.STARTING:
        reason = reply.error_code or reply.outcome.value.lower()
        close_session(work, session, reason, traceparent=received.traceparent)
    elif command.action == CommandAction.STOP_SUPPLY and reply.error_code == "unknown_session":
        close_session(work, session, "engine_lost", traceparent=received.traceparent)


def _begins_within(reply: Reply) -> timedelta:
    told_s = (reply.payload or {}).get("connection_timeout_s")
    if isinstance(told_s, int) and 0 < told_s <= LONGEST_WAIT_S:
        return timedelta(seconds=told_s)
    return STATION_BEGINS_WITHIN
