import httpx
import pytest

from evcharging.apps.load_run.live_page import live_page


@pytest.fixture
async def client(world):
    transport = httpx.ASGITransport(app=live_page(world.run()))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as found:
        yield found


async def test_the_page_loads_nothing_from_elsewhere_and_may_not(client):
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "http" not in answer.text.replace("http-equiv", "")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (await client.get("/live.js")).headers["content-type"].startswith("text/javascript")


async def test_it_shows_the_report_so_far(client):
    assert "<h1>a test" in (await client.get("/report")).text


async def test_the_figures_come_as_json(client):
    assert (await client.get("/figures.json")).json()["title"] == "a test"


async def test_it_answers_to_get_alone(client):
    assert (await client.post("/report")).status_code == 405
