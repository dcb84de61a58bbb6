"""``evcharging topics``: look into Kafka, decoded. ``list`` shows every topic, ``tail`` follows one."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from evcharging.apps.runtime.commands import OutputClosed, help_alone, run_commands
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.logs import configure_logging
from evcharging.apps.runtime.service import until_stopped
from evcharging.apps.topics.kafka import looks_into_kafka
from evcharging.apps.topics.listing import topic_rows, topic_table
from evcharging.apps.topics.reading import Reading, topic_names
from evcharging.apps.topics.rendering import render
from evcharging.apps.topics.tail import follow
from evcharging.bus.kafka_offsets import topic_offsets
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.protocol import BusUnavailable, Position

__all__ = ["main"]

ASK_WITHIN_S = 10.0
"""So long a question may take; a broker that is not there says so at once."""
PIPED_WIDTH = 120


class From(StrEnum):
    """Where `tail` begins."""

    BEGINNING = "beginning"
    END = "end"


AsJson = Annotated[bool, typer.Option("--json", help="One JSON document a line, for programs.")]

app = typer.Typer(
    help="Look into Kafka, decoded.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    invoke_without_command=True,
    callback=help_alone,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``list`` or ``tail`` and return the exit code: 0, 2 bad usage, 1 where no broker answers."""
    configure_logging(level="error", log_format="text", who="topics", stream=sys.stderr)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return run_commands(app, "evcharging topics", argv)


@app.command("list")
@looks_into_kafka
def list_topics(*, kafka: KafkaSettings, as_json: AsJson = False) -> None:
    """Show every topic: its message, its key and, where a broker answers, how far its partitions go."""
    try:
        offsets = asyncio.run(topic_offsets(replace(kafka, request_timeout_s=ASK_WITHIN_S)))
    except BusUnavailable as error:
        offsets = None
        sys.stderr.write(f"{error}; offsets are left out\n")
    rows = topic_rows(offsets)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
    else:
        Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(topic_table(rows))


@app.command("tail")
@looks_into_kafka
def tail_topic(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="A topic of evcharging topics list, or its .dlq.")],
    *,
    key: Annotated[str | None, typer.Option(metavar="KEY", help="Only records with this key, such as CP-001.")] = None,
    start: Annotated[From, typer.Option("--from", help="Where to begin.")] = From.END,
    kafka: KafkaSettings,
    as_json: AsJson = False,
) -> None:
    """Follow a topic until Ctrl-C."""
    names = topic_names()
    if topic not in names:
        live = [name for name in names if not name.endswith(".dlq")]
        raise UsageError(f"no topic {topic!r}; there are: {', '.join(live)}; and each with .dlq")
    console = _PipeableConsole(highlight=False)

    def show(reading: Reading) -> None:
        try:
            if as_json:
                sys.stdout.write(reading.as_json() + "\n")
                sys.stdout.flush()
            else:
                console.print(render(reading), soft_wrap=True)
        except BrokenPipeError:
            raise OutputClosed from None

    position = Position.BEGINNING if start is From.BEGINNING else Position.END
    asyncio.run(_until_signalled(kafka, topic, position, key, show))


async def _until_signalled(
    settings: KafkaSettings, topic: str, position: Position, key: str | None, show: Callable[[Reading], None]
) -> None:
    stop = asyncio.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sig, stop.set)
    await until_stopped(stop, follow(settings, topic, start=position, key=key, show=show))


class _PipeableConsole(Console):
    """Says that its reader has gone by the exception that says so, and not by ending the process."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


if __name__ == "__main__":
    sys.exit(main())
