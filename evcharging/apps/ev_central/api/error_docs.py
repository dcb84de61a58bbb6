"""The errors of each endpoint, as its documentation shows them."""

from __future__ import annotations

from typing import Any

from evcharging.apps.ev_central.api.problems import KINDS, MEDIA_TYPE

__all__ = ["errors"]

OF_WRITES = ("unauthorized", "cross_origin", "in_progress", "outcome_unknown", "too_large", "key_reused")


def errors(*codes: str, writes: bool = False) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an endpoint that can answer with these kinds of problems, besides those that all can."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in dict.fromkeys((*codes, *(OF_WRITES if writes else ()), "invalid_request", "internal_error")):
        kind = KINDS[code]
        response = by_status.setdefault(kind.status, {"description": "", "content": {MEDIA_TYPE: {}}})
        response["description"] += f"{'; ' if response['description'] else ''}{kind.title} (`{code}`)"
        content = response["content"][MEDIA_TYPE]
        content.setdefault("schema", {"$ref": "#/components/schemas/Problem"})
        content.setdefault("examples", {})[code] = {
            "summary": kind.remedy,
            "value": {
                "type": f"/docs#{code}",
                "title": kind.title,
                "status": kind.status,
                "detail": kind.remedy,
                "code": code,
            },
        }
    return by_status
