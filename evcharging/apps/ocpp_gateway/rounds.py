"""What is looked at again and again beside the sockets: transactions in doubt, other gateways, old rows, MQTT."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from evcharging.apps.ocpp_gateway.charge_points import ChargePoints
from evcharging.apps.ocpp_gateway.mqtt_feed import MqttFeed, MqttPublisher
from evcharging.apps.ocpp_gateway.presence import LOOK_EVERY_S, Presence
from evcharging.apps.ocpp_gateway.transactions import Transactions
from evcharging.apps.ocpp_gateway.writes import StorageAway, Work, Writes
from evcharging.store import outbox
from evcharging.store.gateway import commands as taken_commands
from evcharging.store.gateway import tables

__all__ = ["Rounds"]

log = structlog.get_logger()

SWEEP_EVERY_S: Final = 1.0
PRUNE_EVERY_S: Final = 3600.0
KEPT_FOR: Final = timedelta(days=1)
"""Outbox rows that were published, and commands that were answered; both are of use for a minute or two."""


class Rounds:
    """Makes the rounds of one gateway.

    Args:
        mqtt: where units are told of every ``mqtt_interval_s``, None where MQTT is off.
        monotonic: seconds.
    """

    def __init__(
        self,
        points: ChargePoints,
        writes: Writes,
        transactions: Transactions,
        presence: Presence,
        mqtt_feed: MqttFeed,
        *,
        mqtt: MqttPublisher | None,
        mqtt_interval_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._points = points
        self._writes = writes
        self._transactions = transactions
        self._presence = presence
        self._mqtt_feed = mqtt_feed
        self._mqtt = mqtt
        self._mqtt_interval_s = mqtt_interval_s
        self._monotonic = monotonic

    async def run(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._open_again())
            group.create_task(self._sweeping())
            group.create_task(self._looking())
            group.create_task(self._pruning())
            if self._mqtt is not None:
                group.create_task(self._measuring(self._mqtt))

    async def _sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now_s = self._monotonic()
            for point in self._points.connected():
                for transaction in list(point.open.values()):
                    if transaction.doubted_until_s is not None and now_s >= transaction.doubted_until_s:
                        transaction.doubted_until_s = None
                        self._transactions.close_lost(point, transaction)

    async def _open_again(self) -> None:
        while True:
            try:
                number = await self._presence.publish_open_again()
            except StorageAway:
                continue
            if number:
                log.info("transactions are open", number=number)
            return

    async def _looking(self) -> None:
        while True:
            try:
                lost = await self._presence.look()
            except StorageAway:
                lost = 0
            if lost:
                log.warning("stations of a gateway that ended did not come back", number=lost)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _measuring(self, mqtt: MqttPublisher) -> None:
        while True:
            await asyncio.sleep(self._mqtt_interval_s)
            await self._mqtt_feed.leave(mqtt)
            self._mqtt_feed.measure(mqtt)

    async def _pruning(self) -> None:
        async def effect(work: Work) -> None:
            before = work.now - KEPT_FOR
            await outbox.forget_before(work.transaction, tables.outbox, before)
            await taken_commands.forget_before(work.transaction, before)

        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            self._writes.post(effect)
