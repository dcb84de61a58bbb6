from __future__ import annotations

from html.parser import HTMLParser

import pytest
from jsonschema import Draft202012Validator

from evcharging.apps.ev_central.api.problems import KINDS


class Links(HTMLParser):
    """What a page refers to, and what it can be referred to by."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.references.append(value or "")
            elif name == "id":
                self.ids.append(value or "")


@pytest.fixture
async def document(web) -> dict:
    return (await web.http.get("/openapi.json")).json()


@pytest.fixture
async def page(web) -> Links:
    links = Links()
    links.feed((await web.http.get("/docs")).text)
    return links


def operations(document):
    return [(path, method, found) for path, methods in document["paths"].items() for method, found in methods.items()]


async def test_every_endpoint_of_the_interface_is_there(document):
    assert {f"{method.upper()} {path}" for path, method, _ in operations(document)} == {
        "GET /health",
        "GET /ready",
        "GET /metrics",
        "GET /cp",
        "GET /cp/{cp_id}",
        "GET /telemetry",
        "POST /cp/register",
        "POST /cp/stop",
        "POST /cp/resume",
        "POST /cp/{cp_id}/health",
        "POST /cp/{cp_id}/start",
        "POST /cp/{cp_id}/stop",
        "POST /cp/{cp_id}/resume",
        "POST /cp/{cp_id}/inject",
        "GET /stations",
        "GET /stations/{station_id}",
        "GET /stations/{station_id}/logs",
        "POST /stations/scale",
        "POST /stations/start",
        "POST /stations/stop",
        "GET /pricing",
        "POST /pricing",
        "GET /totals",
        "GET /api/v1/sessions",
        "GET /api/v1/sessions/{session_id}",
        "POST /api/v1/sessions/{session_id}/stop",
        "GET /api/v1/alerts",
        "GET /api/v1/history/{station_id}",
        "GET /api/v1/ocpp/{cp_id}",
        "GET /api/v1/ocpp/{cp_id}/frames",
        "GET /api/v1/ocpp/{cp_id}/transactions",
        "GET /api/v1/ocpp/{cp_id}/reservations",
        "POST /api/v1/ocpp/{cp_id}/{action}",
        "GET /api/v1/tokens",
        "POST /api/v1/tokens",
        "GET /api/v1/tokens/{id_tag}",
        "PUT /api/v1/tokens/{id_tag}",
        "DELETE /api/v1/tokens/{id_tag}",
        "GET /api/v1/charging-profiles",
        "POST /api/v1/charging-profiles",
        "GET /api/v1/charging-profiles/{profile_id}",
        "PUT /api/v1/charging-profiles/{profile_id}",
        "DELETE /api/v1/charging-profiles/{profile_id}",
        "GET /api/v1/ocpp-stations",
        "POST /api/v1/ocpp-stations",
        "GET /api/v1/ocpp-stations/{cp_id}",
        "PUT /api/v1/ocpp-stations/{cp_id}",
        "DELETE /api/v1/ocpp-stations/{cp_id}",
    }


async def test_every_endpoint_has_a_summary_a_description_and_its_errors(document):
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert "application/problem+json" in operation["responses"]["422"]["content"], where
        assert "500" in operation["responses"], where
        if method in ("post", "put", "delete"):
            assert {"401", "403", "409", "413"} <= set(operation["responses"]), where
            assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]], where
            assert operation["security"], where


async def test_every_body_and_answer_has_an_example_that_fits_its_model(document):
    for path, method, operation in operations(document):
        contents = [operation["requestBody"]["content"]] if "requestBody" in operation else []
        contents += [r.get("content", {}) for status, r in operation["responses"].items() if status.startswith("2")]
        assert contents, path
        for content in contents:
            for media, body in content.items():
                if media == "application/json":
                    schema = {**body["schema"], "components": document["components"]}
                    errors = list(Draft202012Validator(schema).iter_errors(body["example"]))
                    assert not errors, f"{method} {path}: {errors}"


async def test_no_reference_in_the_document_leads_nowhere(document):
    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for part in value.values():
                yield from references(part)
        elif isinstance(value, list):
            for part in value:
                yield from references(part)

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference


async def test_the_reference_needs_nothing_from_elsewhere_and_no_script(page):
    assert "script" not in page.tags
    for reference in page.references:
        assert reference.startswith(("/", "#")), reference
        assert not reference.startswith("//")
        if reference.startswith("#"):
            assert reference[1:] in page.ids, reference


async def test_the_files_that_the_reference_asks_for_are_there(web, page):
    for reference in {r for r in page.references if r.startswith("/")}:
        assert (await web.http.get(reference)).status_code == 200, reference


async def test_every_problem_is_explained_where_its_type_points_to(page):
    for code in KINDS:
        assert page.ids.count(code) == 1


async def test_a_token_that_is_asked_for_is_documented(guarded):
    document = guarded.app.openapi()
    assert document["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
    assert document["paths"]["/cp/stop"]["post"]["security"] == [{"token": []}]
    assert "security" not in document["paths"]["/cp"]["get"]
