"""One driver's requests and where each stands, from what was sent and what was heard. Pure.

It serves the running driver and the returning one alike: what another run of the same driver sent and heard is read
back from the topics into the same book.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evcharging.messages.drivers import DriverRequest, DriverUpdate, RequestKind

__all__ = ["Entry", "RequestBook"]

REMEMBERED_IDS = 10_000


@dataclass(slots=True)
class Entry:
    """One request, known since the moment of the first message seen of it.

    ``request`` is None where the request itself was not seen: it was sent before the time that is looked back at.
    """

    request_id: str
    cp_id: str
    known_since: datetime
    request: DriverRequest | None = None
    last: DriverUpdate | None = None
    cancelling: bool = False

    @property
    def ended(self) -> bool:
        """Whether its end was heard."""
        return self.last is not None and self.last.status.is_final


class RequestBook:
    """The requests of one driver."""

    def __init__(self, driver_id: str) -> None:
        self.driver_id = driver_id
        self._entries: dict[str, Entry] = {}
        self._seen_ids: dict[str, None] = {}

    def note(self, request: DriverRequest) -> Entry:
        """Enter a request that was sent, or that one was cancelled."""
        entry = self._entries.setdefault(
            request.request_id, Entry(request.request_id, request.cp_id, known_since=request.ts)
        )
        if request.kind is RequestKind.CANCEL:
            entry.cancelling = True
        else:
            entry.request = request
            entry.known_since = request.ts
        return entry

    def hear(self, event_id: str, update: DriverUpdate, *, adopt: bool = False) -> Entry | None:
        """Take an update in.

        Args:
            event_id: by which a repeat is recognised.
            update: what Central says.
            adopt: whether to enter a request that is not in the book.

        Returns:
            The request it moved; None for a repeat, for a request that has ended, and for one that is not in the book.
        """
        if event_id in self._seen_ids:
            return None
        self._seen_ids[event_id] = None
        if len(self._seen_ids) > REMEMBERED_IDS:
            del self._seen_ids[next(iter(self._seen_ids))]
        entry = self._entries.get(update.request_id)
        if entry is None and adopt:
            entry = self._entries[update.request_id] = Entry(update.request_id, update.cp_id, known_since=update.ts)
        if entry is None or entry.ended:
            return None
        entry.last = update
        entry.cp_id = update.cp_id
        return entry

    def open_requests(self) -> list[Entry]:
        """Those whose end was not heard, in the order they were sent."""
        return [entry for entry in self._in_order() if not entry.ended]

    def perhaps_unheard(self) -> Entry | None:
        """The one ended request that the driver may not know the end of: its last.

        It sends a request only when it has heard the end of the one before, so all earlier ends are known to it.
        """
        last = next(reversed(self._in_order()), None)
        return last if last is not None and last.ended else None

    def forget(self, entry: Entry) -> None:
        """Strike out a request that is done with."""
        self._entries.pop(entry.request_id, None)

    def forget_ended(self) -> None:
        """Strike out every request that has ended."""
        for entry in [entry for entry in self._entries.values() if entry.ended]:
            self.forget(entry)

    def _in_order(self) -> list[Entry]:
        return sorted(self._entries.values(), key=lambda entry: entry.known_since)
