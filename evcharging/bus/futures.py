"""Futures that a publisher may drop: nobody who does not look at one is warned about its exception."""

from __future__ import annotations

import asyncio

__all__ = ["fail", "quiet_future", "succeed"]


def quiet_future() -> asyncio.Future[None]:
    """A future of the running loop."""
    return asyncio.get_running_loop().create_future()


def succeed(future: asyncio.Future[None]) -> None:
    """Resolve ``future`` unless its holder has cancelled it."""
    if not future.done():
        future.set_result(None)


def fail(future: asyncio.Future[None], error: Exception) -> None:
    """Fail ``future`` unless its holder has cancelled it, and count the error as seen."""
    if not future.done():
        future.set_exception(error)
        future.exception()
