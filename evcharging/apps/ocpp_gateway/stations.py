"""Which stations may connect and how, as Central says on ``ocpp.config``. In memory, never a query at a handshake.

It also has which ids are engines': nobody may connect under those.
"""

from __future__ import annotations

from collections.abc import Callable

from evcharging.apps.ocpp_gateway.boots import BootTerms
from evcharging.messages.network import OcppConfig

__all__ = ["StationRegistry"]


class StationRegistry:
    """The registrations there are.

    Args:
        open_registration: whether a station that nobody registered is let in.
        default: makes the registration of such a station.
    """

    def __init__(self, *, open_registration: bool, default: Callable[[str], OcppConfig]) -> None:
        self.open_registration = open_registration
        self._default = default
        self._registered: dict[str, OcppConfig] = {}
        self._of_engines: set[str] = set()

    def __len__(self) -> int:
        return len(self._registered)

    def take(self, config: OcppConfig) -> None:
        """A registration is new, changed, or withdrawn; an engine has the id, or has left it."""
        if config.deleted:
            self.forget(config.cp_id)
        else:
            self._registered[config.cp_id] = config
        if config.held_by_engine:
            self._of_engines.add(config.cp_id)
        else:
            self._of_engines.discard(config.cp_id)

    def forget(self, cp_id: str) -> None:
        """Nothing is said of an id any more: its registration is gone, and it is no engine's."""
        self._registered.pop(cp_id, None)
        self._of_engines.discard(cp_id)

    def held_by_engine(self, cp_id: str) -> bool:
        """Whether an engine runs the charge point of that id."""
        return cp_id in self._of_engines

    def registered(self, cp_id: str) -> OcppConfig | None:
        """What Central registered, or None."""
        return self._registered.get(cp_id)

    def find(self, cp_id: str) -> OcppConfig | None:
        """What holds for a station: its registration, else the default where anybody may come, else None."""
        registration = self._registered.get(cp_id)
        if registration is None and self.open_registration:
            return self._default(cp_id)
        return registration

    def boot_terms(self, cp_id: str, *, interval_s: int) -> BootTerms:
        """How a station's boot is to be answered; ``interval_s`` where its registration has none."""
        registration = self.find(cp_id)
        if registration is None:
            return BootTerms("Rejected", interval_s)
        interval_s = registration.heartbeat_interval_s or interval_s
        return BootTerms(registration.boot_status, interval_s, registration.configuration)
