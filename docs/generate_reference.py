"""Writes the tables of docs/reference (and of the README) from the code, between their markers.

A page keeps its prose; what stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` is replaced by what the
code says today. ``python docs/generate_reference.py`` writes, ``--check`` only says which pages are behind (exit 3).
Examples of messages are in ``reference/messages.json``; each is decoded by its model before it is shown.
"""

# ruff: noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

from evcharging.apps.ev_central.api.app import DOCUMENTED
from evcharging.apps.ev_central.api.models import SessionOut
from evcharging.apps.ev_central.api.problems import KINDS
from evcharging.apps.ev_central.swarm_station import StationRecord
from evcharging.apps.ev_central.view_records import ChargePointRecord
from evcharging.apps.runtime.settings import ServiceSettings
from evcharging.can.dbc import load_dbc
from evcharging.cli import COMMANDS
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.states import MqttStatus, OcppStatus, state_of_mqtt, state_of_ocpp
from evcharging.messages.drivers import Denial
from evcharging.messages.topics import TOPICS
from evcharging.mqtt import payloads
from evcharging.ocpp.station.fault_kinds import FAULTS

DOCS = Path(__file__).resolve().parent
EXAMPLES = DOCS / "reference" / "messages.json"
BLOCK = re.compile(r"(<!-- begin (?P<name>[\w:-]+) -->\n).*?(<!-- end (?P=name) -->)", re.DOTALL)
SECTIONS = re.compile(r"\n\s*(Args|Raises|Returns|Attributes):.*", re.DOTALL)
BEHIND = 3
FIRST_VARIABLES = (
    "CENTRAL_KAFKA_BOOTSTRAP",
    "CENTRAL_HTTP_PORT",
    "CENTRAL_API_TOKEN",
    "SIMULATOR_DB_PATH",
    "CENTRAL_DATABASE_URL",
    "CP_ENGINE_CP_ID",
    "CP_ENGINE_HEALTH_PORT",
    "CP_ENGINE_KW_RATE",
    "CP_ENGINE_EURO_RATE",
    "CP_ENGINE_SESSION_SECONDS",
    "CP_MONITOR_CP_ID",
    "CP_MONITOR_CP_E_HOST",
    "DRIVER_REQUEST_INTERVAL",
    "MOCK_PUBLISH_INTERVAL",
)
"""What somebody new is likely to set, for the README."""


def main(argv: list[str] | None = None) -> int:
    """Write the pages, or with ``--check`` name those that are behind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 3 where a page is behind the code")
    check = parser.parse_args(argv).check
    behind = [path for path in pages() if path.read_text(encoding="utf-8") != renewed(path)]
    for path in behind:
        if not check:
            path.write_text(renewed(path), encoding="utf-8")
        sys.stdout.write(f"{'behind' if check else 'written'}: {path.relative_to(DOCS.parent)}\n")
    return BEHIND if check and behind else 0


def pages() -> list[Path]:
    """Every page that may have markers."""
    return [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]


def renewed(path: Path) -> str:
    """The page's text with each of its blocks as the code has it now."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{block(found['name'])}\n{found[3]}", path.read_text(encoding="utf-8"))


def block(name: str) -> str:
    """The Markdown of one block; ``settings:central`` is the block ``settings`` of ``central``.

    Raises:
        KeyError: there is no such block.
    """
    kind, _, of = name.partition(":")
    make = BLOCKS[kind]
    return (make(of) if of else make()).strip() + "\n"


def settings_classes() -> dict[str, type[ServiceSettings]]:
    """The settings of every subcommand that has a class of them, by the subcommand's name."""
    found = {}
    for command in COMMANDS:
        package = command.module.rsplit(".", 1)[0]
        try:
            module = importlib.import_module(f"{package}.settings")
        except ModuleNotFoundError:
            continue  # a tool with subcommands of its own
        for _name, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, ServiceSettings) and getattr(member, "service", None) == command.name:
                found[command.name] = member
    return found


def _commands() -> str:
    rows = [
        (f"`evcharging {command.name}`", f"`python -m {command.module}`", command.summary.rstrip("."))
        for command in COMMANDS
    ]
    return table(("command", "the same as", "what"), rows)


def _settings(service: str) -> str:
    settings = settings_classes()[service]
    rows = []
    for name, field in settings.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, bool):
            default = str(default).lower()
        shown = "required" if field.is_required() else "" if default in (None, "", [], ()) else f"`{default}`"
        flag = f"--{name.replace('_', '-')}"
        rows.append((f"`{flag}`", f"`{settings.variable_of(name)}`", shown, field.description or ""))
    return table(("flag", "variable", "default", "what"), rows)


def _first_variables() -> str:
    rows: dict[str, tuple[str, str]] = {}
    for name, settings in settings_classes().items():
        if name == "up":
            continue  # it has the services' variables as well, to give them on
        for field_name, field in settings.model_fields.items():
            default = field.get_default(call_default_factory=True, validated_data={})
            shown = "" if default is None or field.is_required() else f"`{default}`"
            rows.setdefault(settings.variable_of(field_name), (shown, field.description or ""))
    return table(("variable", "default", "what"), [(f"`{name}`", *rows[name]) for name in FIRST_VARIABLES])


def _topics() -> str:
    rows = []
    for topic in TOPICS:
        about = examples()[topic.name]
        way = f"{about['from']} → {about['to']}" if about["used"] else "not used yet"
        name = f"[`{topic.name}`](#{_anchor(topic.name)})" if about["used"] else f"`{topic.name}`"
        rows.append((name, topic.keyed_by, "yes" if topic.compacted else "", way, f"`{topic.model.__name__}`"))
    return table(("topic", "key", "compacted", "from → to", "message"), rows)


def _messages() -> str:
    parts = []
    for topic in TOPICS:
        about = examples()[topic.name]
        if not about["used"]:
            continue
        example = topic.model.model_validate(about["example"]).to_json()
        parts += [
            f"### {topic.name}",
            prose(topic.model),
            fields(topic.model.model_json_schema()),
            f"```json\n{json.dumps(json.loads(example), indent=2)}\n```",
        ]
    return "\n\n".join(parts)


def examples() -> Mapping[str, Any]:
    """For each topic: who writes and reads it, whether anybody does so yet, and a message."""
    loaded: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return loaded


def _http() -> str:
    rows = []
    for module in DOCUMENTED:
        for route in module.router.routes:
            if isinstance(route, APIRoute):
                answers = sorted({route.status_code or 200, *(int(status) for status in route.responses)})
                call = f"`{', '.join(route.methods or ())} {route.path}`"
                rows.append((call, route.summary or "", " ".join(map(str, answers))))
    return table(("call", "what", "answers"), rows)


def _problems() -> str:
    rows = [(f"`{kind.code}`", str(kind.status), kind.title, kind.remedy) for kind in KINDS.values()]
    return table(("code", "status", "what", "what to do"), rows)


def _record(name: str) -> str:
    shapes: dict[str, Any] = {"charge-point": ChargePointRecord, "session": SessionOut, "station": StationRecord}
    return fields(TypeAdapter(shapes[name]).json_schema())


def _can() -> str:
    rows = []
    for message in load_dbc().messages:
        signals = "<br>".join(
            f"`{signal.name}` byte {signal.start // 8}"
            + (f", bit {signal.start % 8}" if signal.length < 8 else "")
            + f": {signal.length} bit{'s' if signal.length > 1 else ''}"
            + (f", {signal.scale:g} {signal.unit}" if signal.unit else "")
            for signal in message.signals
        )
        sender = "engine → charger" if message.senders == ["Engine"] else "charger → all"
        rows.append((f"`0x{message.frame_id:03X}`", message.name, sender, signals or "empty", str(message.comment)))
    return table(("id", "message", "from → to", "bytes", "what"), rows)


def _mqtt(model: str) -> str:
    shown: type[BaseModel] = getattr(payloads, model)
    return f"{prose(shown)}\n\n{fields(shown.model_json_schema())}"


def _states() -> str:
    rows = []
    for state in ("DISCONNECTED", "ACTIVATED", "SUPPLYING", "STOPPED", "FAULT"):
        ocpp = [f"`{status.value}`" for status in OcppStatus if state_of_ocpp(status) == state]
        mqtt = [f"`{status.value}`" for status in MqttStatus if state_of_mqtt(status) == state]
        rows.append((f"`{state}`", ", ".join(ocpp) or "no websocket", ", ".join(mqtt)))
    return table(("bus (`cp.status`)", "OCPP 1.6 connector status", "MQTT field `status`"), rows)


def _end_reasons() -> str:
    by_status: dict[str, list[str]] = {}
    for reason in EndReason:
        by_status.setdefault(reason.status.value, []).append(f"`{reason.value}`")
    return table(("status", "reasons"), [(f"`{status}`", ", ".join(found)) for status, found in by_status.items()])


def _denials() -> str:
    return ", ".join(f"`{reason.value}`" for reason in Denial)


def _protocol_faults() -> str:
    rows = [(f"`{kind.value}`", spec.where.value, spec.does, spec.reaction) for kind, spec in FAULTS.items()]
    return table(("fault", "befalls", "what happens", "what the standard wants of a CSMS"), rows)


BLOCKS: dict[str, Callable[..., str]] = {
    "commands": _commands,
    "settings": _settings,
    "first-variables": _first_variables,
    "topics": _topics,
    "messages": _messages,
    "http": _http,
    "problems": _problems,
    "record": _record,
    "can": _can,
    "mqtt": _mqtt,
    "states": _states,
    "end-reasons": _end_reasons,
    "denials": _denials,
    "protocol-faults": _protocol_faults,
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def prose(model: type[BaseModel]) -> str:
    """What a model's docstring says, as Markdown."""
    text = SECTIONS.sub("", inspect.getdoc(model) or "")
    return re.sub(r"``(.+?)``", r"`\1`", text).strip()


def fields(schema: Mapping[str, Any]) -> str:
    """The fields of an object's JSON schema as a table."""
    required = schema.get("required", [])
    definitions = schema.get("$defs", {})
    rows = [
        (
            f"`{name}`",
            type_of(part, definitions),
            "required" if name in required else "",
            re.sub(r"``(.+?)``", r"`\1`", part.get("description", "")),
        )
        for name, part in schema["properties"].items()
    ]
    columns = [column for column in zip(("field", "type", "", "what"), *rows, strict=True) if any(column[1:])]
    if len(required) == len(rows):  # a record that is always whole
        columns = [column for column in columns if column[0]]
    head, *lines = zip(*columns, strict=True)
    return table(head, lines)


def type_of(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A JSON schema in words: its type, or the values it can have."""
    if "$ref" in schema:
        return type_of(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    if "anyOf" in schema:
        options = [part for part in schema["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(type_of(part, definitions) for part in options))
    if values := schema.get("enum") or [schema[name] for name in ("const",) if name in schema]:
        return ", ".join(f"`{value}`" for value in values)
    if schema.get("format") == "date-time":
        return "time"
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}), definitions)}"
    return str(schema.get("type", "any"))


def _anchor(heading: str) -> str:
    """The anchor of a heading, as code hosts make it: dots are dropped."""
    return heading.lower().replace(".", "")


if __name__ == "__main__":
    sys.exit(main())
