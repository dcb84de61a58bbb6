"""When what waits to be sent goes out: at once, or together with the rest. Knows neither broker nor records."""

from __future__ import annotations

import asyncio

__all__ = ["Beat"]


class Beat:
    """Lets lanes go at once when it has been quiet, else together at the next beat: one request carries them all.

    Lanes that are filled together go together, so that of several events of one cause none waits for the next beat.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._next_at = 0.0
        self._open = False
        self._going: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Return now or with the next beat."""
        if self._open:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._going is None:
            if now >= self._next_at:
                self._next_at = now + self._period_s
                self._open = True
                loop.call_soon(self._close)  # after the lanes that were filled by now
                return
            self._going = loop.create_future()
            loop.call_at(self._next_at, self._go)
        await asyncio.shield(self._going)

    def _close(self) -> None:
        self._open = False

    def _go(self) -> None:
        going, self._going = self._going, None
        self._next_at = asyncio.get_running_loop().time() + self._period_s
        if going is not None:
            going.set_result(None)
