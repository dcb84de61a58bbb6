from __future__ import annotations

from evcharging.bus.memory import unreachable


async def ready(web) -> bool:
    return (await web.http.get("/ready")).status_code == 200


async def test_health_says_that_the_process_answers(web):
    assert (await web.http.get("/health")).json() == {"status": "ok"}


async def test_ready_once_everything_was_read(web):
    while not await ready(web):
        pass
    body = (await web.http.get("/ready")).json()
    assert body["ready"] is True
    assert body["checks"]["kafka"] == {"ok": True, "detail": None}
    assert body["checks"]["database"] == {"ok": True, "detail": None}
    assert "mqtt" not in body["checks"]


async def test_not_ready_while_the_bus_is_away(web):
    while not await ready(web):
        pass
    with unreachable(web.core.bus):
        answer = await web.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["kafka"]["ok"] is False
    assert "unreachable" in answer.json()["checks"]["kafka"]["detail"]


async def test_not_ready_while_the_database_is_away(web):
    while not await ready(web):
        pass
    async with web.database.outage():
        answer = await web.http.get("/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.json()["checks"]["database"]["ok"] is False


async def test_metrics_count_charge_points_by_state(web):
    await web.activated("CP-001", "CP-002")
    answer = await web.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'evcharging_charge_points{state="ACTIVATED"} 2.0' in answer.text
    assert 'evcharging_charge_points{state="FAULT"} 0.0' in answer.text
