"""Ending what a library has started, within a bounded time, whatever it raises on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["ended"]


async def ended(work: Coroutine[Any, Any, Any], timeout_s: float) -> bool:
    """Run ``work`` to its end or for ``timeout_s``; say whether it ended well.

    aiokafka's ``stop`` can raise `asyncio.CancelledError` for a task of its own that it has just cancelled. In a task
    apart that cannot be taken for a cancellation of the caller.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=timeout_s)
    return task.done() and not task.cancelled() and task.exception() is None
