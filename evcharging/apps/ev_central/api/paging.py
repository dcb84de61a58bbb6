"""``limit`` and ``cursor`` on lists: the body is a plain array, what follows is named in ``Link`` (RFC 8288)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from pydantic import BaseModel

from evcharging.apps.ev_central.api.problems import Refused

__all__ = ["LINK_HEADER", "Cursor", "Limit", "array_of", "next_link", "open_cursor", "page_of", "sealed_cursor"]

T = TypeVar("T")

Cursor = Annotated[
    str | None,
    Query(max_length=400, pattern=r"^[A-Za-z0-9_=-]+$", description="from the `Link` header of the page before"),
]

Limit = Annotated[int, Query(ge=1, le=1_000, description="most entries in the answer")]

LINK_HEADER = {
    "Link": {
        "description": '`<…>; rel="next"` where more follows; its query carries the `cursor`',
        "schema": {"type": "string", "example": '</cp?limit=100&cursor=Q1AtMTAw>; rel="next"'},
    }
}


def page_of(
    request: Request,
    found: Sequence[T],
    limit: int,
    *,
    position: Callable[[T], str],
    encoded: Callable[[Sequence[T]], bytes],
) -> Response:
    """The first ``limit`` of what was found, and where one more was found the link to what follows.

    Args:
        request: asked for the page.
        found: from the page's first entry on, one more than ``limit`` if there are as many.
        limit: most entries in the answer.
        position: of an entry, from which the next page goes on.
        encoded: the JSON array of entries.
    """
    shown = found[:limit]
    more = sealed_cursor(position(shown[-1])) if len(found) > limit else None
    return Response(encoded(shown), media_type="application/json", headers=next_link(request, more))


def array_of(models: Iterable[BaseModel]) -> bytes:
    """Models as a JSON array, each as it spells itself."""
    return b"[" + b",".join(model.model_dump_json().encode() for model in models) + b"]"


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The header that leads to the next page; none at the end."""
    if cursor is None:
        return {}
    query = {**request.query_params, "cursor": cursor}
    return {"Link": f'<{request.url.path}?{urlencode(query)}>; rel="next"'}


def sealed_cursor(position: str) -> str:
    """A position as a cursor: callers are not meant to read it."""
    return base64.urlsafe_b64encode(position.encode()).decode()


def open_cursor(cursor: str | None) -> str | None:
    """The position again.

    Raises:
        Refused: 422, the cursor is none that `sealed_cursor` made.
    """
    if cursor is None:
        return None
    try:
        position = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        position = ""
    if not position.isprintable() or not position:
        detail = "expected the cursor of the page before"
        raise Refused(
            "invalid_request", f"query/cursor: {detail}", errors=[{"pointer": "query/cursor", "detail": detail}]
        )
    return position
