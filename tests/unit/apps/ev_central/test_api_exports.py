from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

import pytest

from evcharging.apps.ev_central.api.exports import exported

ENTRIES = [{"a": 1, "b": "two"}, {"a": 3.5, "c": None}, {"b": 'said "so",\nand left'}]


async def pages(*entries: Sequence[Mapping[str, Any]]) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    for page in entries:
        yield page


async def text_of(form: Literal["csv", "jsonl"], *entries: Sequence[Mapping[str, Any]]) -> str:
    answer = exported(form, pages(*entries), columns=("a", "b"), name="things")
    return "".join([chunk if isinstance(chunk, str) else bytes(chunk).decode() async for chunk in answer.body_iterator])


async def test_a_csv_has_its_columns_only_and_leaves_empty_what_an_entry_lacks() -> None:
    rows = list(csv.reader(io.StringIO(await text_of("csv", ENTRIES[:1], ENTRIES[1:]))))
    assert rows == [["a", "b"], ["1", "two"], ["3.5", ""], ["", 'said "so",\nand left']]


async def test_json_lines_have_entries_as_they_are() -> None:
    assert [json.loads(line) for line in (await text_of("jsonl", ENTRIES)).splitlines()] == ENTRIES


async def test_nothing_is_a_header_as_csv_and_nothing_as_json_lines() -> None:
    assert (await text_of("csv"), await text_of("jsonl")) == ("a,b\r\n", "")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@name"])
async def test_a_text_that_a_spreadsheet_would_work_out_is_led_by_an_apostrophe(text: str) -> None:
    assert f"'{text}" in await text_of("csv", [{"a": text}])
