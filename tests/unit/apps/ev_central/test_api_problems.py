from __future__ import annotations

import pytest

from evcharging.apps.ev_central.api.problems import KINDS
from evcharging.apps.ev_central.operations import Operations

MEDIA_TYPE = "application/problem+json"


def is_problem(answer, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/docs#{code}")
    assert body["title"] == KINDS[code].title
    assert body["detail"]
    return body


async def test_a_path_that_is_not_there(web):
    is_problem(await web.http.get("/nix"), 404, "not_found")
    is_problem(await web.http.get("/static/nix.js"), 404, "not_found")
    is_problem(await web.http.get("/cp/"), 404, "not_found")


async def test_a_method_that_the_path_does_not_take(web):
    answer = await web.http.delete("/cp")
    is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


async def test_what_is_wrong_in_a_body_is_named_field_by_field(web):
    body = is_problem(
        await web.http.post("/cp/CP-001/start", json={"driver_id": "", "kwh": -1}), 422, "invalid_request"
    )
    assert [error["pointer"] for error in body["errors"]] == ["#/driver_id", "#/kwh"]


@pytest.mark.parametrize("content", [b"{", b"", b"\xff", b"[" * 5000, b"nul", b'{"driver_id": "\\ud800"}'])
async def test_a_body_that_is_no_json_is_refused(web, content):
    answer = await web.http.post("/cp/CP-001/start", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    ("content", "told"),
    [(b'{"a" 1}', "no JSON: Expecting ':' delimiter, at character 5"), (b"", "a JSON body is required")],
)
async def test_a_body_that_cannot_be_read_is_told_where_it_breaks(web, content, told):
    answer = await web.http.post("/cp/CP-001/start", content=content, headers={"content-type": "application/json"})
    assert told in answer.json()["detail"]


@pytest.mark.parametrize("sent_as", ["application/x-www-form-urlencoded", "text/plain"])
async def test_json_that_is_sent_as_something_else_is_told_what_to_say(web, sent_as):
    answer = await web.http.post("/pricing", content=b'{"price": 0.3}', headers={"content-type": sent_as})
    body = is_problem(answer, 415, "unsupported_media_type")
    assert body["detail"] == f"expected application/json, got {sent_as}"


async def test_json_without_a_content_type_is_told_what_to_say(web):
    answer = await web.http.post("/pricing", content=b'{"price": 0.3}')
    assert "no Content-Type" in is_problem(answer, 415, "unsupported_media_type")["detail"]


async def test_what_was_sent_is_not_repeated(web):
    answer = await web.http.post("/cp/CP-001/start", json={"driver_id": "x" * 5000, "y" * 5000: 1})
    assert len(answer.content) < 1000


async def test_a_database_that_is_away_is_said_to_be(web):
    await web.activated("CP-001")
    async with web.database.outage():
        for answer in (
            await web.http.post("/cp/CP-001/stop"),
            await web.http.get("/api/v1/sessions"),
            await web.http.get("/api/v1/sessions?format=csv"),
            await web.http.get("/totals"),
        ):
            is_problem(answer, 503, "database_unavailable")
            assert answer.headers["retry-after"] == "2"


async def test_a_database_that_is_busy_is_said_to_be_with_what_to_do(web, monkeypatch):
    await web.activated("CP-001")
    monkeypatch.setattr(web.database, "_wait_s", 0.05)
    async with web.database.begin():
        for headers in ({}, {"Idempotency-Key": "key-1"}):
            answer = await web.http.post("/cp/CP-001/stop", headers=headers)
            body = is_problem(answer, 503, "database_unavailable")
            assert "busy" in body["detail"]
            assert "nothing was done; send it again in 5 s" in body["detail"]
            assert body["in_doubt"] is False
            assert answer.headers["retry-after"] == "5"
    assert (await web.http.post("/cp/CP-001/stop", headers={"Idempotency-Key": "key-1"})).status_code == 202


async def test_a_mistake_of_ours_is_a_problem_too_and_tells_nothing_of_itself(web, monkeypatch):
    async def broken(_self: Operations) -> None:
        raise RuntimeError("password is hunter2")

    monkeypatch.setattr(Operations, "pricing", broken)
    answer = await web.http.get("/pricing")
    is_problem(answer, 500, "internal_error")
    assert "hunter2" not in answer.text
    assert answer.headers["content-security-policy"]


def test_every_kind_says_what_to_do():
    for kind in KINDS.values():
        assert kind.remedy.endswith(".")
        assert 400 <= kind.status < 600
