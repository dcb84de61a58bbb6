from __future__ import annotations

from datetime import timedelta
from typing import Any

from evcharging.messages.charge_points import Alert, Severity
from evcharging.messages.topics import ALERTS
from evcharging.store.history import writing
from tests.support.central import a_moment


def an_alert(web, number: int, **more: Any) -> Alert:
    ts = web.clock() + timedelta(seconds=number)
    values = {"ts": ts, "alert_id": f"a-{number}", "cp_id": f"CP-00{number % 2}", "kind": "oscillation"}
    return Alert(**{**values, "severity": Severity.WARNING, "started_at": ts, **more})


async def raised(web, *numbers: int) -> None:
    """Alerts that Central has just heard of."""
    for known, number in enumerate(numbers, 1):  # one after the other: charge points have no common order
        await web.core.publish(ALERTS, an_alert(web, number))
        while len(web.view.alerts()) < known:
            await a_moment()


async def remembered(web, *numbers: int) -> None:
    """Alerts that the history has."""
    async with web.history.begin() as transaction:
        await writing.add_alerts(transaction, [an_alert(web, number) for number in numbers])


async def through(web, url: str) -> list[str]:
    found: list[str] = []
    while True:
        answer = await web.http.get(url)
        assert answer.status_code == 200, answer.text
        found += [alert["alert_id"] for alert in answer.json()]
        if "next" not in answer.links:
            return found
        url = answer.links["next"]["url"]


async def test_alerts_come_newest_first_in_pages(web):
    await raised(web, 0, 1, 2)
    first = await web.http.get("/api/v1/alerts?limit=2")
    assert [a["alert_id"] for a in first.json()] == ["a-2", "a-1"]
    second = await web.http.get(first.links["next"]["url"])
    assert [a["alert_id"] for a in second.json()] == ["a-0"]
    assert "next" not in second.links
    narrowed = await web.http.get("/api/v1/alerts?station_id=CP-001")
    assert [a["alert_id"] for a in narrowed.json()] == ["a-1"]


async def test_pages_lead_from_memory_into_the_history_without_a_seam(web):
    await remembered(web, 0, 1, 2, 3, 4)
    await raised(web, 3, 4, 5)
    expected = ["a-5", "a-4", "a-3", "a-2", "a-1", "a-0"]
    for limit in (1, 2, 3, 4, 100):
        assert await through(web, f"/api/v1/alerts?limit={limit}") == expected
    assert await through(web, "/api/v1/alerts?limit=1&station_id=CP-001") == ["a-5", "a-3", "a-1"]


async def test_without_the_history_the_newest_alerts_are_there_all_the_same(web):
    await remembered(web, 0, 1)
    await raised(web, 2)
    first = await web.http.get("/api/v1/alerts?limit=2")
    async with web.history.outage():
        assert await through(web, "/api/v1/alerts") == ["a-2"]
        older = await web.http.get(first.links["next"]["url"])
        assert (older.status_code, older.json()["code"]) == (503, "database_unavailable")


async def test_a_cursor_whose_alert_has_gone_ends_the_list(web):
    await remembered(web, 0, 1)
    first = await web.http.get("/api/v1/alerts?limit=1")
    async with web.history.begin() as transaction:
        await transaction.exec_driver_sql("DELETE FROM alerts")
    assert (await web.http.get(first.links["next"]["url"])).json() == []
