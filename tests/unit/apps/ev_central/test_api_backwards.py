from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from evcharging.apps.ev_central.api.backwards import ROWS_A_READ, Backwards


@dataclass
class Row:
    position: int


class Rows:
    """Rows 1 to ``count``, and how many were asked for at a time."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.reads: list[int] = []

    async def read(self, limit: int, before: int | None) -> Sequence[Row]:
        self.reads.append(limit)
        top = self._count if before is None else min(before - 1, self._count)
        return [Row(number) for number in range(top, max(0, top - limit), -1)]


async def given(rows: Backwards[Row]) -> list[int]:
    return [row.position for row in await rows.rest()]


@pytest.mark.parametrize("most", [1, 3, 9, 10, 11, None])
async def test_a_page_ends_where_it_is_told_and_the_next_goes_on_there(most: int | None) -> None:
    found: list[int] = []
    before = None
    while before != 0:
        page = Backwards(Rows(10).read, before=before, most=most)
        numbers = await given(page)
        assert most is None or len(numbers) <= most
        found += numbers
        assert page.more == (page.position != 0)
        before = page.position
    assert found == list(range(10, 0, -1))


async def test_a_long_list_is_read_piece_by_piece() -> None:
    rows = Rows(ROWS_A_READ * 2 + 1)
    assert len(await given(Backwards(rows.read, before=None, most=None))) == ROWS_A_READ * 2 + 1
    assert max(rows.reads) == ROWS_A_READ + 1


async def test_a_list_that_has_ended_is_not_read_again() -> None:
    rows = Rows(10)
    assert await given(Backwards(rows.read, before=0, most=5)) == []
    assert rows.reads == []


async def test_nothing_at_all_is_an_end_too() -> None:
    page = Backwards(Rows(0).read, before=7, most=5)
    assert await page.head() is None
    assert (page.more, page.position) == (False, 0)
