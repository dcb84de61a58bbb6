"""Central over its TCP control plane: one connection for all charge points, one frame on its way at a time."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from evcharging.apps.ev_central.tcp_link import ANSWER_WITHIN_S, Answer, ClientLink
from evcharging.apps.ev_cp_m.central import CentralAway, NotRegistered, Refused
from evcharging.messages.control import HealthFrame, HealthReport, RegisterFrame, Registration

__all__ = ["TcpCentral"]

CHUNK_BYTES = 4096


class TcpCentral:
    """`evcharging.apps.ev_cp_m.central.Central` over TCP. Connects at first use, and again after a loss.

    NACK does not say why: to a report it is taken as `NotRegistered`, so that the monitor registers again, which is
    harmless; to a registration, and to ENQ, as `CentralAway`.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._one_at_a_time = asyncio.Lock()
        self._connection: _Connection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._one_at_a_time:
            await self._disconnect()

    async def register(self, registration: Registration) -> None:
        """See `evcharging.apps.ev_cp_m.central.Central.register`."""
        answer = await self._deliver(RegisterFrame(**registration.model_dump()).to_json())
        if answer is Answer.NOT_NOW:
            raise CentralAway(f"Central at {self._where} takes no registration now")

    async def report(self, cp_id: str, report: HealthReport) -> None:
        """See `evcharging.apps.ev_cp_m.central.Central.report`."""
        answer = await self._deliver(HealthFrame(cp_id=cp_id, **report.model_dump()).to_json())
        if answer is Answer.NOT_NOW:
            raise NotRegistered(f"Central at {self._where} does not take the report of {cp_id}")

    @property
    def _where(self) -> str:
        return f"tcp://{self._host}:{self._port}"

    async def _deliver(self, data: bytes) -> Answer:
        """Return ACCEPTED or NOT_NOW.

        Raises:
            CentralAway: not connected, not opened, or lost on the way.
            Refused: the frame is no message to this Central.
        """
        async with self._one_at_a_time:
            try:
                connection = await self._opened()
                answer = await connection.exchange(data)
            except BaseException:
                await self._disconnect()
                raise
            if connection.link.closed:
                await self._disconnect()
        if answer is Answer.REJECTED:
            raise Refused(f"Central at {self._where} rejects the frame")
        if answer in (Answer.SILENT, Answer.LOST):
            raise CentralAway(f"Central at {self._where} went away ({answer.value})")
        return answer

    async def _opened(self) -> _Connection:
        if self._connection is None:
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    reader, writer = await asyncio.open_connection(self._host, self._port)
            except (OSError, TimeoutError) as error:
                raise CentralAway(f"{self._where} cannot be reached ({error or 'too slow'})") from None
            self._connection = _Connection(reader, writer)
            answer = await self._connection.enquire()
            if answer is not Answer.ACCEPTED:
                raise CentralAway(f"Central at {self._where} does not open ({answer.value})")
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()


class _Connection:
    """The sockets' side of one `ClientLink`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.link = ClientLink()
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()

    async def enquire(self) -> Answer:
        self.link.enquire(self._loop.time())
        return await self._answer()

    async def exchange(self, data: bytes) -> Answer:
        self.link.send(data, self._loop.time())
        return await self._answer()

    async def close(self) -> None:
        self.link.close()
        try:
            self._writer.write(self.link.take())
            self._writer.close()
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    async def _answer(self) -> Answer:
        answer: Answer | None = None
        while answer is None:
            try:
                async with asyncio.timeout_at(self.link.deadline_s):
                    self._writer.write(self.link.take())
                    await self._writer.drain()
                    piece = await self._reader.read(CHUNK_BYTES)
            except TimeoutError:
                answer = self.link.expire(self._loop.time())
            except OSError:
                return self._lost()
            else:
                answer = self.link.receive(piece, self._loop.time()) if piece else self._lost()
        return answer

    def _lost(self) -> Answer:
        self.link.close()
        return Answer.LOST
