"""Which stations may connect and how, as Central says on ``ocpp.config``. In memory, never a query at a handshake."""

from __future__ import annotations

from collections.abc import Callable

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

    def __len__(self) -> int:
        return len(self._registered)

    def take(self, config: OcppConfig) -> None:
        """A registration is new, changed, or withdrawn."""
        if config.deleted:
            self.forget(config.cp_id)
        else:
            self._registered[config.cp_id] = config

    def forget(self, cp_id: str) -> None:
        """A registration is gone."""
        self._registered.pop(cp_id, None)

    def registered(self, cp_id: str) -> OcppConfig | None:
        """What Central registered, or None."""
        return self._registered.get(cp_id)

    def find(self, cp_id: str) -> OcppConfig | None:
        """What holds for a station: its registration, else the default where anybody may come, else None."""
        registration = self._registered.get(cp_id)
        if registration is None and self.open_registration:
            return self._default(cp_id)
        return registration
