from __future__ import annotations

import asyncio

import pytest

from evcharging.apps.ev_central.operations import Operations
from evcharging.messages.commands import Command
from evcharging.store.database import DatabaseUnavailable


async def start(web, key: str, *, driver_id: str = "driver-alice", **more):
    return await web.http.post(
        "/cp/CP-001/start", json={"driver_id": driver_id}, headers={"Idempotency-Key": key}, **more
    )


def starts(web) -> int:
    return sum(command.action == "START_SUPPLY" for command in web.core.heard.of(Command))


async def test_the_same_request_again_is_answered_as_before_and_has_no_second_effect(web):
    await web.activated("CP-001")
    first = await start(web, "k-1")
    again = await start(web, "k-1")
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert "content-security-policy" in again.headers
    await web.core.command("START_SUPPLY")
    assert len((await web.http.get("/api/v1/sessions")).json()) == starts(web) == 1


async def test_an_answers_location_is_kept(web):
    for _ in range(2):
        answer = await web.http.post("/cp/register", json={"cp_id": "CP-001"}, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.headers["location"]) == (201, "/cp/CP-001")


async def test_a_key_for_another_request_is_refused(web):
    await web.activated("CP-001")
    await start(web, "k-1")
    for answer in (
        await start(web, "k-1", driver_id="bob"),
        await web.http.post("/cp/CP-001/stop", headers={"Idempotency-Key": "k-1"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")


async def test_a_refusal_frees_the_key(web):
    await web.http.post("/cp/register", json={"cp_id": "CP-001"})
    assert (await start(web, "k-1")).status_code == 409
    await web.activated("CP-001")
    assert (await start(web, "k-1")).status_code == 202


async def test_the_same_request_at_once_is_told_to_wait(web, monkeypatch):
    await web.activated("CP-001")
    entered, go_on = asyncio.Event(), asyncio.Event()
    real = Operations.stop

    async def slow(self: Operations, cp_id: str) -> str:
        entered.set()
        await go_on.wait()
        return await real(self, cp_id)

    monkeypatch.setattr(Operations, "stop", slow)
    headers = {"Idempotency-Key": "k-1"}
    first = asyncio.create_task(web.http.post("/cp/CP-001/stop", headers=headers))
    await entered.wait()
    second = await web.http.post("/cp/CP-001/stop", headers=headers)
    assert (second.status_code, second.json()["code"]) == (409, "in_progress")
    go_on.set()
    assert (await first).status_code == 202
    assert (await web.http.post("/cp/CP-001/stop", headers=headers)).content == (await first).content


async def test_a_request_that_was_cut_short_is_not_carried_out_again(web, monkeypatch):
    await web.activated("CP-001")

    async def cut_short(_self: Operations, _cp_id: str) -> str:
        raise RuntimeError("as if the process had died")

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "stop", cut_short)
        assert (await web.http.post("/cp/CP-001/stop", headers={"Idempotency-Key": "k"})).status_code == 500
    web.clock.advance(61)
    answer = await web.http.post("/cp/CP-001/stop", headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (409, "outcome_unknown")
    assert "STOP_CP" not in [command.action for command in web.core.heard.of(Command)]


@pytest.mark.parametrize(("in_doubt", "again"), [(False, 202), (True, 409)])
async def test_a_database_lost_while_storing_keeps_the_key_only_if_the_effect_is_in_doubt(
    web, monkeypatch, in_doubt, again
):
    await web.activated("CP-001")

    async def lost(_self: Operations, _cp_id: str) -> str:
        raise DatabaseUnavailable("it went away", in_doubt=in_doubt)

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "stop", lost)
        answer = await web.http.post("/cp/CP-001/stop", headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["in_doubt"]) == (503, in_doubt)
    assert (await web.http.post("/cp/CP-001/stop", headers={"Idempotency-Key": "k"})).status_code == again


async def test_an_outcome_that_could_not_be_stored_is_remembered_until_it_can(web, monkeypatch):
    await web.activated("CP-001")
    real = Operations.stop

    async def then_away(self: Operations, cp_id: str) -> str:
        command_id = await real(self, cp_id)
        await outage.__aenter__()
        return command_id

    outage = web.database.outage()
    with monkeypatch.context() as patch:
        patch.setattr(Operations, "stop", then_away)
        first = await web.http.post("/cp/CP-001/stop", headers={"Idempotency-Key": "k"})
    assert first.status_code == 202
    away = await web.http.post("/cp/CP-001/stop", headers={"Idempotency-Key": "k"})
    assert (away.status_code, away.json()["code"]) == (503, "database_unavailable")
    await outage.__aexit__(None, None, None)
    again = await web.http.post("/cp/CP-001/stop", headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.content) == (202, first.content)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
async def test_a_key_that_is_none_is_refused(web, key):
    answer = await web.http.post("/cp/stop", headers={"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_key_is_not_claimed_by_those_who_may_not_write(guarded):
    refused = await guarded.http.post("/cp/stop", headers={"Idempotency-Key": "k"})
    assert refused.status_code == 401
    let_in = await guarded.http.post("/cp/stop", headers={"Idempotency-Key": "k", "Authorization": "Bearer s3cret"})
    assert (let_in.status_code, "idempotency-replayed" in let_in.headers) == (202, False)


async def test_reading_takes_no_key(web):
    for _ in range(2):
        answer = await web.http.get("/cp", headers={"Idempotency-Key": "k"})
        assert "idempotency-replayed" not in answer.headers
