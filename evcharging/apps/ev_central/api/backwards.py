"""Rows from the newest on, read piece by piece as they are wanted: for a page that ends, or a file that goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

__all__ = ["ROWS_A_READ", "Backwards", "Placed"]

ROWS_A_READ = 500


class Placed(Protocol):
    """A row that knows its place in its list."""

    @property
    def position(self) -> int:
        """Its number, which only grows."""


R = TypeVar("R", bound=Placed)


class Backwards(Generic[R]):
    """Rows from the newest on, read piece by piece as they are wanted.

    Args:
        read: is given how many rows to read, and before which position.
        before: where to begin; None: at the newest.
        most: how many to give; None: all there are.
    """

    def __init__(
        self, read: Callable[[int, int | None], Awaitable[Sequence[R]]], *, before: int | None, most: int | None
    ) -> None:
        self._read = read
        self._left = most
        self._rows: deque[R] = deque()
        self._read_to = before
        self.position = before or 0
        """Of the last row given; 0 where nothing follows."""
        self.more = before != 0
        """Whether rows follow those that were given."""

    async def head(self) -> R | None:
        """The next row, which stays; None after the last."""
        if not self._rows and self.more and self._left != 0:
            wanted = ROWS_A_READ if self._left is None else min(self._left, ROWS_A_READ)
            rows = await self._read(wanted + 1, self._read_to)
            self.more = len(rows) > wanted
            self._rows.extend(rows[:wanted])
            if self._rows:
                self._read_to = self._rows[-1].position
            else:
                self.position = 0
        return self._rows[0] if self._rows else None

    def take(self) -> R:
        """The next row, which `head` has shown."""
        row = self._rows.popleft()
        self.position = row.position if self._rows or self.more else 0
        if self._left is not None:
            self._left -= 1
        return row

    async def rest(self) -> list[R]:
        """All rows that are still to be given."""
        rows: list[R] = []
        while await self.head() is not None:
            rows.append(self.take())
        return rows
