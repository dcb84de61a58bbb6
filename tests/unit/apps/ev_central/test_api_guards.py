from __future__ import annotations

import asyncio

import pytest

from evcharging.apps.ev_central.api import guards
from evcharging.apps.ev_central.api.guards import MOST_BODY_BYTES, BoundedBody

REGISTRATION = {"cp_id": "CP-001"}


@pytest.mark.parametrize("path", ["/", "/cp", "/nix", "/docs", "/static/app.js", "/health"])
async def test_every_answer_carries_the_security_headers(web, path):
    headers = (await web.http.get(path)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/cp", "/health", "/static/app.js"])
async def test_what_can_be_read_can_be_asked_about(web, path):
    told = await web.http.head(path)
    read = await web.http.get(path)
    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["content-length"] == read.headers["content-length"]


async def test_what_the_network_does_now_is_not_kept_by_a_cache(web):
    assert (await web.http.get("/cp")).headers["cache-control"] == "no-store"
    assert (await web.http.get("/static/app.js")).headers["cache-control"] == "no-cache"


class TestTheToken:
    async def test_reading_needs_none(self, guarded):
        assert (await guarded.http.get("/cp")).status_code == 200

    @pytest.mark.parametrize(
        "authorization", [None, "Bearer wrong", "Bearer", "Basic s3cret", "s3cret", "Bearer s3cretx", b"Bearer \xff"]
    )
    async def test_writing_without_it_is_refused(self, guarded, authorization):
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = await guarded.http.post("/cp/register", json=REGISTRATION, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "s3cret" not in answer.text
        assert (await guarded.http.get("/cp")).json() == []

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    async def test_writing_with_it_is_let_through(self, guarded, scheme):
        answer = await guarded.http.post(
            "/cp/register", json=REGISTRATION, headers={"Authorization": f"{scheme} s3cret"}
        )
        assert answer.status_code == 201

    async def test_every_write_there_is_needs_it(self, guarded):
        for path, methods in guarded.app.openapi()["paths"].items():
            for method in set(methods) - {"get"}:
                answer = await guarded.http.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, path


class TestOtherSites:
    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://central.evil.example", "http://[", ""])
    async def test_a_write_from_another_sites_page_is_refused(self, web, origin):
        answer = await web.http.post("/cp/register", json=REGISTRATION, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")

    async def test_a_write_from_our_own_page_is_let_through(self, web):
        answer = await web.http.post("/cp/register", json=REGISTRATION, headers={"Origin": "http://central"})
        assert answer.status_code == 201


class TestTheBody:
    async def test_one_that_is_too_large_is_refused_by_its_length(self, web):
        answer = await web.http.post("/cp/register", content=b"x" * (MOST_BODY_BYTES + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def test_one_that_grows_too_large_is_refused_on_its_way(self, web):
        async def pieces():
            for _ in range(MOST_BODY_BYTES // 1024 + 1):
                yield b"x" * 1024

        answer = await web.http.post("/cp/register", content=pieces())
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def test_one_that_does_not_come_is_given_up(self, monkeypatch):
        monkeypatch.setattr(guards, "BODY_TIMEOUT_S", 0.01)
        sent = []

        async def receive():
            await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        async def app(*_: object) -> None:
            raise AssertionError("not to be reached")

        scope = {"type": "http", "method": "POST", "path": "/cp/register", "headers": []}
        await BoundedBody(app)(scope, receive, send)
        assert sent[0]["status"] == 408

    async def test_a_caller_who_hangs_up_in_the_middle_is_forgotten(self):
        async def receive():
            return {"type": "http.disconnect"}

        async def nothing(*_: object) -> None:
            raise AssertionError("not to be reached")

        scope = {"type": "http", "method": "POST", "path": "/cp/register", "headers": []}
        await BoundedBody(nothing)(scope, receive, nothing)
