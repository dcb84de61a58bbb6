"""``/docs``: the OpenAPI document as one plain page, for people.

Rendered here and once, without scripts and without anything from another host, so that it works offline and under the
same strict policy as everything else. Programs read ``/openapi.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from evcharging.apps.ev_central.api.openapi import REF
from evcharging.apps.ev_central.api.problems import KINDS

__all__ = ["render"]

LIVE_MESSAGES = (
    ("snapshot", "first, and again where a reader fell behind", "ts, cp (all of them), totals, pricing, alerts"),
    ("cp", "a charge point changed", "unit_id, the fields of GET /cp/{cp_id}, reason, detail, health_detail"),
    ("gone", "a charge point was deleted", "unit_id"),
    ("totals", "energy, earnings or counts changed", "the fields of GET /totals"),
    ("pricing", "the price changed", "the fields of GET /pricing"),
    ("alert", "an alert was raised or changed", "the fields of GET /api/v1/alerts"),
    ("reply", "a charge point answered a command", "command_id, cp_id, outcome, error_code, error_description"),
    ("ping", "nothing else was said for 5 s", ""),
)


def render(document: Mapping[str, Any]) -> str:
    """The page for an OpenAPI document."""
    components = document["components"]["schemas"]
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, method, operation in operations:
        by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append((path, method, operation))
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{title}: HTTP reference</title><link rel="icon" href="/static/icon.svg">',
            '<link rel="stylesheet" href="/static/theme.css">',
            '<link rel="stylesheet" href="/static/docs.css"></head><body>',
            f"<header><h1>{title}</h1><p>{_prose(document['info']['description'])}</p>",
            '<p>For programs: <a href="/openapi.json">openapi.json</a>. The <a href="/">page</a>.</p></header>',
            f'<nav aria-label="Contents">{_contents(by_tag)}</nav><main>',
            *(_tag(tag, found, components) for tag, found in by_tag.items()),
            _live(),
            _problems(),
            _models(components),
            "</main></body></html>",
        ]
    )


def _contents(by_tag: Mapping[str, Iterable[tuple[str, str, dict[str, Any]]]]) -> str:
    parts = []
    for tag, found in by_tag.items():
        entries = "".join(
            f'<li><a href="#{_anchor(path, method)}"><b class="{method}">{method.upper()}</b> {escape(path)}</a></li>'
            for path, method, _ in found
        )
        parts.append(f"<h2>{escape(tag)}</h2><ul>{entries}</ul>")
    more = (("live", "WS /ws"), ("problems", "Problems"), ("models", "Models"))
    parts.append("<h2>more</h2><ul>" + "".join(f'<li><a href="#{a}">{t}</a></li>' for a, t in more) + "</ul>")
    return "".join(parts)


def _tag(tag: str, found: Iterable[tuple[str, str, dict[str, Any]]], components: Mapping[str, Any]) -> str:
    return f"<section><h2>{escape(tag)}</h2>{''.join(_operation(*entry, components) for entry in found)}</section>"


def _operation(path: str, method: str, operation: Mapping[str, Any], components: Mapping[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    parts = [
        f'<article id="{_anchor(path, method)}">',
        f'<h3><b class="{method}">{method.upper()}</b> <code>{escape(path)}</code></h3>',
        f"<p><strong>{escape(operation['summary'])}.</strong> {_prose(operation.get('description', ''))}</p>",
        _parameters(operation.get("parameters", [])),
        f"<h4>Try it</h4>{_pre(_curl(path, method, operation, body))}",
    ]
    if body:
        parts.append(f"<h4>Body</h4><p>{_type(body['schema'])}</p>{_fields(body['schema'], components)}")
    parts.append("<h4>Answers</h4>")
    parts += [_response(status, response) for status, response in operation["responses"].items()]
    return "".join([*parts, "</article>"])


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (f"<code>{escape(p['name'])}</code>", p["in"], _type(p["schema"]), _prose(p.get("description", "")))
        for p in parameters
    ]
    return f"<h4>Parameters</h4>{_table(('name', 'in', 'type', 'what'), rows)}" if rows else ""


def _response(status: str, response: Mapping[str, Any]) -> str:
    content = response.get("content", {})
    problems = content.get("application/problem+json")
    if problems:
        kinds = ", ".join(f'<a href="#{code}"><code>{code}</code></a>' for code in problems["examples"])
        return f"<p><b>{status}</b> {kinds}</p>"
    shown = [f"<p><b>{status}</b> {_prose(response.get('description', ''))}"]
    for media, body in content.items():
        shown.append(f" {_type(body['schema'])} <small>{escape(media)}</small>" if "schema" in body else "")
    shown.append("</p>")
    shown += [
        _pre(json.dumps(b["example"], indent=2)) for b in content.values() if isinstance(b.get("example"), dict | list)
    ]
    return "".join(shown)


def _live() -> str:
    rows = [(f"<code>{name}</code>", escape(when), escape(fields)) for name, when, fields in LIVE_MESSAGES]
    return (
        '<section><h2 id="live">WS /ws</h2><p>A WebSocket that sends JSON objects and takes nothing: a snapshot, then '
        "changes only, gathered five times a second, or once where there are thousands. "
        "<code>?station_id=CP-001</code> narrows it to one charge point; "
        "<code>?batch=true</code> packs the changes of one interval into a JSON array. A slow reader is sent a fresh "
        f"snapshot instead of a backlog.</p>{_table(('type', 'when', 'with'), rows)}"
        f"{_pre('websocat ws://127.0.0.1:8000/ws')}</section>"
    )


def _problems() -> str:
    rows = [
        (f'<code id="{kind.code}">{kind.code}</code>', str(kind.status), escape(kind.title), _prose(kind.remedy))
        for kind in KINDS.values()
    ]
    return f'<section><h2 id="problems">Problems</h2>{_table(("code", "status", "what", "what to do"), rows)}</section>'


def _models(components: Mapping[str, Any]) -> str:
    models = "".join(_model(name, schema) for name, schema in sorted(components.items()))
    return f'<section><h2 id="models">Models</h2>{models}</section>'


def _model(name: str, schema: Mapping[str, Any]) -> str:
    about = _prose(schema.get("description", ""))
    values = ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", []))
    body = f"<h3>{escape(name)}</h3><p>{about}</p><p>{values}</p>{_properties(schema)}"
    return f'<article id="model-{escape(name)}">{body}</article>'


def _fields(schema: Mapping[str, Any], components: Mapping[str, Any]) -> str:
    name = schema.get("$ref", "").removeprefix(REF)
    return _properties(components[name]) if name in components else ""


def _properties(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        (
            f"<code>{escape(name)}</code>" + ("" if name in required else " <small>optional</small>"),
            _type(part),
            _prose(part.get("description", "")),
        )
        for name, part in schema.get("properties", {}).items()
    ]
    return _table(("field", "type", "what"), rows) if rows else ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(REF))
        return f'<a href="#model-{name}">{name}</a>'
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return " or ".join(_type(part) for part in schema[word])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    limits = [
        f"{sign} {schema[word]}"
        for word, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
            ("minLength", "length ≥"),
            ("maxLength", "length ≤"),
        )
        if word in schema
    ]
    kind = schema.get("format") or schema.get("type") or "any"
    return escape(kind) + (f" <small>{escape(', '.join(limits))}</small>" if limits else "")


def _curl(path: str, method: str, operation: Mapping[str, Any], body: Mapping[str, Any] | None) -> str:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            example = (parameter.get("schema", {}).get("examples") or ["session-3d8e"])[0]
            path = path.replace(f"{{{parameter['name']}}}", str(example))
    words = ["curl", *(() if method == "get" else ("-X", method.upper())), f"http://127.0.0.1:8000{path}"]
    if body:
        words += ["\\\n  -H 'Content-Type: application/json'", f"\\\n  -d '{json.dumps(body['example'])}'"]
    return " ".join(words)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'


def _prose(text: str) -> str:
    """Escape, and set what stands between backticks as code."""
    parts = escape(text.replace("``", "`")).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _pre(text: str) -> str:
    return f"<pre><code>{escape(text)}</code></pre>"


def _anchor(path: str, method: str) -> str:
    return escape(f"{method}{path}".replace("/", "-").replace("{", "").replace("}", "").strip("-"))
