"""Which stations may connect and how, as Central says on ``ocpp.config``. In memory, never a query at a handshake.

It also has which ids are engines': nobody may connect under those; and, of a station that was given another password
over OCPP, the old one until the station has come with the new one, or `OLD_PASSWORD_HOLDS` is over.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from evcharging.apps.ocpp_gateway.boots import BootTerms
from evcharging.messages.network import OcppConfig

__all__ = ["OLD_PASSWORD_HOLDS", "StationRegistry"]

OLD_PASSWORD_HOLDS: Final = timedelta(hours=1)


class StationRegistry:
    """The registrations there are.

    Args:
        open_registration: whether a station that nobody registered is let in.
        default: makes the registration of such a station.
        now: the time, with a zone.
    """

    def __init__(
        self,
        *,
        open_registration: bool,
        default: Callable[[str], OcppConfig],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.open_registration = open_registration
        self._default = default
        self._registered: dict[str, OcppConfig] = {}
        self._of_engines: set[str] = set()
        self._now = now
        self._old_passwords: dict[str, tuple[str, datetime]] = {}

    def __len__(self) -> int:
        return len(self._registered)

    def take(self, config: OcppConfig) -> None:
        """A registration is new, changed, or withdrawn; an engine has the id, or has left it."""
        if config.deleted:
            self.forget(config.cp_id)
        else:
            self._keep_old_password(config)
            self._registered[config.cp_id] = config
        if config.held_by_engine:
            self._of_engines.add(config.cp_id)
        else:
            self._of_engines.discard(config.cp_id)

    def forget(self, cp_id: str) -> None:
        """Nothing is said of an id any more: its registration is gone, and it is no engine's."""
        self._registered.pop(cp_id, None)
        self._old_passwords.pop(cp_id, None)
        self._of_engines.discard(cp_id)

    def old_password(self, cp_id: str) -> str | None:
        """The hash of the password before, for as long as that holds beside the registration's."""
        old = self._old_passwords.get(cp_id)
        if old is None:
            return None
        if self._now() >= old[1]:
            del self._old_passwords[cp_id]
            return None
        return old[0]

    def came_with_the_new_password(self, cp_id: str) -> None:
        """A station has proved that it has its registration's password: the old one holds no longer."""
        self._old_passwords.pop(cp_id, None)

    def _keep_old_password(self, config: OcppConfig) -> None:
        before = self._registered.get(config.cp_id)
        if before is None or before.password_hash == config.password_hash:
            return
        if config.old_password_holds and before.password_hash is not None:
            self._old_passwords[config.cp_id] = (before.password_hash, config.ts + OLD_PASSWORD_HOLDS)
        else:
            self._old_passwords.pop(config.cp_id, None)

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
