from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from evcharging.messages.network import AuthToken
from tests.support.central import Heard
from tests.support.ocpp import Station
from tests.support.web import WebRig

TOKENS = "/api/v1/tokens"


@contextlib.asynccontextmanager
async def hearing(web: WebRig) -> AsyncIterator[Heard]:
    """What gateways hear of tokens."""
    heard = Heard(web.core.bus, "auth.tokens")
    task = asyncio.create_task(heard.listen())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_token_is_kept_told_to_gateways_and_shown(web):
    body = {
        "id_tag": "ABC123",
        "status": "Accepted",
        "expires_at": "2020-01-01T00:00:00Z",
        "parent_id_tag": "GROUP",
        "driver_id": "driver-alice",
    }
    async with hearing(web) as heard:
        answer = await web.http.post(TOKENS, json=body)
        token = await heard.wait_for(AuthToken)
    assert (answer.status_code, answer.headers["location"]) == (201, f"{TOKENS}/ABC123")
    assert answer.json() == {
        **body,
        "expires_at": "2020-01-01T00:00:00.000Z",
        "changed_at": "2026-03-01T12:00:00.000Z",
    }
    assert (token.id_tag, token.status, token.parent_id_tag, token.driver_id, token.deleted) == (
        "ABC123", "Accepted", "GROUP", "driver-alice", False,
    )  # fmt: skip
    assert (await web.http.get(f"{TOKENS}/abc123")).json() == answer.json()


async def test_a_token_is_changed_as_a_whole_and_deleted(web):
    await web.http.post(TOKENS, json={"id_tag": "ABC123", "parent_id_tag": "GROUP"})
    async with hearing(web) as heard:
        changed = await web.http.put(f"{TOKENS}/ABC123", json={"id_tag": "abc123", "status": "Blocked"})
        assert (changed.json()["status"], changed.json()["parent_id_tag"]) == ("Blocked", None)
        assert changed.json()["id_tag"] == "ABC123"
        await heard.wait_for(AuthToken, lambda t: t.status == "Blocked" and not t.deleted)
        assert (await web.http.delete(f"{TOKENS}/ABC123")).status_code == 204
        await heard.wait_for(AuthToken, lambda t: t.deleted)
    assert (await web.http.get(f"{TOKENS}/ABC123")).status_code == 404


async def test_a_token_is_there_once_whatever_the_case_of_its_letters(web):
    await web.http.post(TOKENS, json={"id_tag": "ABC123"})
    again = await web.http.post(TOKENS, json={"id_tag": "abc123"})
    assert (again.status_code, again.json()["code"]) == (409, "already_there")
    assert "/api/v1/tokens/ABC123" in again.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id_tag": ""},
        {"id_tag": "x" * 21},
        {"id_tag": "a/b"},
        {"id_tag": " a"},
        {"id_tag": "a\n"},
        {"id_tag": "ä"},
        {"id_tag": "A", "status": "Fine"},
        {"id_tag": "A", "expires_at": "tomorrow"},
        {"id_tag": "A", "driver_id": ""},
        {"id_tag": "A", "colour": "red"},
    ],
)
async def test_what_is_no_token_is_refused(web, body):
    answer = await web.http.post(TOKENS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_change_that_names_another_token_is_refused(web):
    await web.http.post(TOKENS, json={"id_tag": "ABC123"})
    answer = await web.http.put(f"{TOKENS}/ABC123", json={"id_tag": "DEF456"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/id_tag")


@pytest.mark.parametrize("method", ["get", "put", "delete"])
async def test_an_unknown_token_is_told_as_such(web, method):
    more = {"json": {"status": "Blocked"}} if method == "put" else {}
    answer = await getattr(web.http, method)(f"{TOKENS}/NOBODY", **more)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_token")


async def test_tokens_are_listed_in_pages(web):
    for number in range(3):
        await web.http.post(TOKENS, json={"id_tag": f"TAG-{number}"})
    first = await web.http.get(f"{TOKENS}?limit=2")
    assert [token["id_tag"] for token in first.json()] == ["TAG-0", "TAG-1"]
    rest = await web.http.get(first.links["next"]["url"])
    assert [token["id_tag"] for token in rest.json()] == ["TAG-2"]
    assert "next" not in rest.links


async def test_a_drivers_token_is_the_one_they_charge_with(web):
    await web.http.post(TOKENS, json={"id_tag": "RFID-7", "driver_id": "driver-alice"})
    station = Station(web.core)
    await station.boots()
    assert (await web.http.post("/cp/ST-1/start", json={"driver_id": "driver-alice"})).status_code == 202
    assert (await web.core.command("START_SUPPLY")).id_tag == "RFID-7"


async def test_a_fresh_broker_is_told_every_token_when_central_starts(web):
    for number in range(3):
        await web.http.post(TOKENS, json={"id_tag": f"TAG-{number}"})
    await web.http.delete(f"{TOKENS}/TAG-1")
    async with hearing(web) as heard:
        await heard.wait_for(AuthToken, lambda t: t.deleted)
        before = len(heard.all)
        await web.registry.announce()
        while len(heard.all) < before + 2:
            await asyncio.sleep(0.002)
    again = [received.message for received in heard.all[before:]]
    assert sorted(token.id_tag for token in again) == ["TAG-0", "TAG-2"]
    assert not any(token.deleted for token in again)


async def test_writing_tokens_needs_the_operators_token_where_one_is_set(guarded):
    assert (await guarded.http.post(TOKENS, json={"id_tag": "ABC123"})).status_code == 401
    assert (await guarded.http.delete(f"{TOKENS}/ABC123")).status_code == 401
