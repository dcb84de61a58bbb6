"""The application's OpenAPI document: what FastAPI derives from the routes, with an example and the guards added.

Every operation gets the example that its models' fields spell out, writes the token and the key they take.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from evcharging.apps.ev_central.api.problems import Problem

__all__ = ["describe", "example_of"]

DESCRIPTION = (
    "Charge points, sessions, prices and probes of Central. Errors are RFC 9457 problem details. Lists take `limit` "
    "and `cursor` and name what follows in a `Link` header. Writes take `Idempotency-Key`: the same request with the "
    "same key is answered as before and has no second effect. A query parameter that a path does not have is refused."
)
REF = "#/components/schemas/"
WRITING = ("post", "put", "patch", "delete")
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "any text of your own, new for each new request; kept for a day",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
    "example": "5f0c9a3e",
}
PLACEHOLDERS: dict[str, Any] = {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "null": None}
LONGEST_WAY = 6


def describe(app: FastAPI, *, guarded: bool) -> None:
    """Replace ``app.openapi`` by a document made once. ``guarded``: writes need a token."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, guarded=guarded)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents


def example_of(schema: dict[str, Any], components: dict[str, Any], depth: int = 0) -> Any:
    """A value that fits ``schema``, made of the examples and defaults in it."""
    if "$ref" in schema:
        return example_of(components[schema["$ref"].removeprefix(REF)], components, depth + 1)
    if schema.get("examples"):
        return schema["examples"][0]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return example_of(schema[word][0], components, depth + 1)
    given = [schema[word] for word in ("const", "default") if schema.get(word) is not None]
    given += schema.get("enum", [])
    return given[0] if given else _by_type(schema, components, depth)


def _by_type(schema: dict[str, Any], components: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object" and "properties" in schema and depth < LONGEST_WAY:
        return {name: example_of(part, components, depth + 1) for name, part in schema["properties"].items()}
    if kind == "object":
        return {}
    if kind == "array":
        return [example_of(schema["items"], components, depth + 1)] if "items" in schema and depth < LONGEST_WAY else []
    if schema.get("format") == "date-time":
        return "2026-01-01T12:00:00.000Z"
    return PLACEHOLDERS.get(str(kind))


def _document(app: FastAPI, *, guarded: bool) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template=REF + "{model}")
    components.update(problem.pop("$defs", {}))
    components["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for methods in document["paths"].values():
        for method, operation in methods.items():
            _complete(operation, components)
            if method in WRITING:
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
                operation["security"] = [{"token": []}] if guarded else [{"token": []}, {}]
    return document


def _complete(operation: dict[str, Any], components: dict[str, Any]) -> None:
    contents = [
        response.get("content", {}) for status, response in operation["responses"].items() if status.startswith("2")
    ]
    contents.append(operation.get("requestBody", {}).get("content", {}))
    for content in contents:
        body = content.get("application/json")
        if body and "schema" in body and "example" not in body:
            body["example"] = example_of(body["schema"], components)
