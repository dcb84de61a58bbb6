"""Keeps the `StationRegistry` as Central says on ``ocpp.config``, and ends sockets that are not allowed any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from evcharging.apps.ocpp_gateway.stations import StationRegistry
from evcharging.bus.consumer import Consumer, Tombstone
from evcharging.bus.protocol import Bus, Position
from evcharging.messages.envelope import Received
from evcharging.messages.network import OcppConfig
from evcharging.messages.topics import OCPP_CONFIG

__all__ = ["Registrations"]

WITHDRAWN = "its registration was withdrawn"
CHANGED = "its registration changed; connect again"
OF_AN_ENGINE = "an engine runs the charge point of this id; give the station another"


class Registrations:
    """Reads without a group, from the beginning. Enter it, then await `run` in a task of your own.

    Args:
        bus: where to read.
        stations: what is kept up to date.
        drop: ends a station's socket, if it has one, for a reason.
        reconfigured: is told of a station that may stay connected and is to have another configuration.
    """

    def __init__(
        self,
        bus: Bus,
        stations: StationRegistry,
        *,
        drop: Callable[[str, str], None],
        reconfigured: Callable[[str], None] = lambda _cp_id: None,
    ) -> None:
        self._stations = stations
        self._drop = drop
        self._reconfigured = reconfigured
        self._consumer = Consumer(
            bus,
            {OCPP_CONFIG: Position.BEGINNING},
            handler=self._take,
            on_tombstone=self._take_out,
            name="gateway registrations",
        )

    async def __aenter__(self) -> Self:
        await self._consumer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.__aexit__(kind, error, trace)

    async def run(self) -> None:
        """Read for ever."""
        await self._consumer.run()

    async def wait_caught_up(self) -> None:
        """Wait until every registration that was there at the start is known. `run` must be running."""
        await self._consumer.wait_caught_up()

    @property
    def progressing(self) -> bool:
        """Whether reading makes progress."""
        return self._consumer.health().progressing

    async def _take(self, batch: Sequence[Received[Any]]) -> None:
        for received in batch:
            config = received.message
            before = self._stations.registered(config.cp_id)
            self._stations.take(config)
            if config.held_by_engine:
                self._drop(config.cp_id, OF_AN_ENGINE)
            elif config.deleted:
                self._withdraw(config.cp_id)
            elif before is None or _may_not_stay(before, config):
                self._drop(config.cp_id, CHANGED)
            elif (before.configuration or {}) != (config.configuration or {}):
                self._reconfigured(config.cp_id)

    async def _take_out(self, tombstone: Tombstone) -> None:
        cp_id = tombstone.key.decode("utf-8", "replace")
        self._stations.forget(cp_id)
        self._withdraw(cp_id)

    def _withdraw(self, cp_id: str) -> None:
        if self._stations.find(cp_id) is None:
            self._drop(cp_id, WITHDRAWN)


def _may_not_stay(before: OcppConfig, config: OcppConfig) -> bool:
    """Whether a station has to prove anew who it is; not so soon where it was given its password over OCPP."""
    new_password = before.password_hash != config.password_hash and not config.old_password_holds
    return new_password or before.security_profile != config.security_profile
