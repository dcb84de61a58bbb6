"""Lists as files: CSV for spreadsheets, JSON lines for programs, both sent as they are read and never held whole."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import orjson
from fastapi import Query
from fastapi.responses import StreamingResponse

__all__ = ["EXPORTED", "Form", "Pages", "exported"]

Form = Annotated[Literal["json", "csv", "jsonl"], Query(alias="format", description="csv and jsonl stream")]
Pages = AsyncIterator[Sequence[Mapping[str, Any]]]
"""Entries piece by piece; their values are what JSON has."""

EXPORTED: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}},
    "application/jsonl": {"schema": {"type": "string"}},
}
"""The content types beside JSON, for an endpoint's documentation."""

FORMULA = ("=", "+", "-", "@")


def exported(form: Literal["csv", "jsonl"], pages: Pages, *, columns: Sequence[str], name: str) -> StreamingResponse:
    """Entries as a stream.

    Args:
        form: CSV with a header line, or one JSON object a line.
        pages: the entries.
        columns: what a line of CSV is made of; an entry that has no such member leaves it empty.
        name: of the file that a browser saves the CSV as.
    """
    if form == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return StreamingResponse(_csv(pages, columns), media_type="text/csv", headers=headers)
    return StreamingResponse(_jsonl(pages), media_type="application/jsonl")


async def _csv(pages: Pages, columns: Sequence[str]) -> AsyncIterator[str]:
    yield _row(columns)
    async for page in pages:
        yield "".join(_row([_cell(entry.get(column)) for column in columns]) for entry in page)


async def _jsonl(pages: Pages) -> AsyncIterator[bytes]:
    async for page in pages:
        yield b"".join(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE) for entry in page)


def _row(cells: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _cell(value: object) -> object:
    """Texts that a spreadsheet would take for a formula are led by an apostrophe: others choose their own words."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
