"""Settings of a service: flag, then environment, then ``.env``, then ``--config`` YAML, then the default.

A service declares one subclass of `ServiceSettings`; its fields are its flags (``http_port`` is ``--http-port``), its
variables (``CENTRAL_HTTP_PORT``) and its keys in the YAML section of its name. A value followed by `` # comment`` is
read without the comment. A name under the service's own prefix that it does not know is an error that names it.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn, Self, get_args, get_origin

import yaml
from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from evcharging.apps.runtime.errors import UsageError

__all__ = ["ServiceSettings"]

DOTENV = Path(".env")
COMMENT = re.compile(r"(^|\s)#.*$", re.DOTALL)
FROM_CONFIG = "config"


class ServiceSettings(BaseSettings):
    """The base of every service's settings."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    prefix: ClassVar[str]
    """Of its environment variables, with the underscore: ``CENTRAL_``."""
    service: ClassVar[str]
    """Its subcommand, which is also its section in the YAML file."""
    summary: ClassVar[str]
    """One line for ``--help``."""
    exit_codes: ClassVar[str] = (
        "0 stopped on request or all done, 1 gave up, 2 bad usage, 130 cut off by another signal"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_format: Literal["text", "json"] = Field("text", description="log lines for people or for machines")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` gathered counts, so that a test can build settings without an environment."""
        return (init_settings,)

    @classmethod
    def load(cls, argv: Sequence[str] | None = None, *, environ: Mapping[str, str] | None = None) -> Self:
        """Read flags, environment, ``.env`` and YAML.

        Args:
            argv: the flags, without the program's name; ``sys.argv[1:]`` by default.
            environ: the environment; ``os.environ`` by default.

        Raises:
            UsageError: one line that names the setting, what was got and what would be right.
            SystemExit: 0 after ``--help``.
        """
        flags = vars(cls._parser().parse_args(sys.argv[1:] if argv is None else argv))
        config_path = flags.pop(FROM_CONFIG, None)
        environ = os.environ if environ is None else environ
        values = {
            **cls._from_yaml(config_path or environ.get("EVCHARGING_CONFIG")),
            **cls._from_variables(_read_dotenv(), str(DOTENV)),
            **cls._from_variables(environ, "the environment"),
            **{name: value for name, value in flags.items() if value is not None},
        }
        for name, field in cls.model_fields.items():
            if name in values and _is_list(field):
                values[name] = _split(values[name])
        try:
            return cls(**values)
        except ValidationError as error:
            raise UsageError(cls._told(error)) from None

    @classmethod
    def variable_of(cls, field: str) -> str:
        """The environment variable of a field, as documented."""
        return cls._variables_of(field, cls.model_fields[field])[0]

    @classmethod
    def _variables_of(cls, name: str, field: FieldInfo) -> list[str]:
        """The variables a field is read from: the documented one first, then the one under the service's own prefix."""
        alias = field.validation_alias
        special = [str(a) for a in alias.choices if str(a).isupper()] if isinstance(alias, AliasChoices) else []
        return [*special, cls.prefix + name.upper()]

    @classmethod
    def _parser(cls) -> argparse.ArgumentParser:
        parser = _OneLineParser(
            prog=f"evcharging {cls.service}",
            description=cls.summary,
            epilog="Each flag can also be set by its variable, in .env, or in the YAML file of --config."
            f" Exit codes: {cls.exit_codes}.",
            allow_abbrev=False,
        )
        parser.add_argument("--config", dest=FROM_CONFIG, metavar="FILE", help="YAML file with a section per service")
        for name, field in cls.model_fields.items():
            flag = "--" + name.replace("_", "-")
            text = _help(field, cls._variables_of(name, field)[0])
            if field.annotation is bool:
                parser.add_argument(flag, dest=name, action=argparse.BooleanOptionalAction, default=None, help=text)
            elif _is_list(field):
                parser.add_argument(flag, dest=name, action="append", metavar=_metavar(field), help=text)
            else:
                parser.add_argument(flag, dest=name, metavar=_metavar(field), help=text)
        return parser

    @classmethod
    def _from_variables(cls, variables: Mapping[str, str], where: str) -> dict[str, Any]:
        """Where a field has a shared variable and one under the own prefix, the own one wins: it is meant for us."""
        known = {v: name for name, field in cls.model_fields.items() for v in cls._variables_of(name, field)}
        for variable in variables:
            if variable.startswith(cls.prefix) and variable not in known:
                meant = _meant(variable, known, prefix=cls.prefix)
                raise UsageError(f"{variable} (in {where}) is no setting of {cls.service}{meant}")
        values: dict[str, Any] = {}
        for variable, name in known.items():
            value = COMMENT.sub("", variables.get(variable, "")).strip()
            if value:
                values[name] = value
        return values

    @classmethod
    def _from_yaml(cls, path: str | None) -> dict[str, Any]:
        if path is None:
            return {}
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise UsageError(f"--config {path}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise UsageError(f"--config {path}: not UTF-8 text") from None
        except yaml.YAMLError as error:
            raise UsageError(f"--config {path}: not YAML: {str(error).splitlines()[0]}") from None
        section = content.get(cls.service) if isinstance(content, dict) else None
        if section is None and isinstance(content, dict):
            return {}
        if not isinstance(section, dict):
            raise UsageError(f"--config {path}: expected a mapping with a section {cls.service!r}")
        names = {str(key).replace("-", "_"): value for key, value in section.items()}
        for name in names:
            if name not in cls.model_fields:
                raise UsageError(
                    f"{cls.service}.{name} (in {path}) is no setting of {cls.service}{_meant(name, cls.model_fields)}"
                )
        return names

    @classmethod
    def _told(cls, error: ValidationError) -> str:
        told = []
        named = {v: n for n, f in cls.model_fields.items() for v in cls._variables_of(n, f)}
        for problem in error.errors(include_url=False):
            loc = str(problem["loc"][0]) if problem["loc"] else ""
            name = named.get(loc, loc)
            field = cls.model_fields.get(name)
            if field is None:  # a rule of several settings, which names them itself
                told.append(problem["msg"].removeprefix("Value error, "))
                continue
            label = f"--{name.replace('_', '-')} ({cls.variable_of(name)})"
            if problem["type"] == "missing":
                told.append(f"{label}: {problem['msg']}{f' ({field.description})' if field.description else ''}")
                continue
            got = "" if _holds_secret(field) else f", got {problem['input']!r}"
            told.append(f"{label}: {problem['msg'].removeprefix('Value error, ')}{got}")
        return "; ".join(told)


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line and leaves the usage to ``--help``."""

    def error(self, message: str) -> NoReturn:
        flag = re.fullmatch(r"unrecognized arguments: (--[^\s=]+).*", message)
        hint = _meant(flag[1], self._option_string_actions) if flag else f"; see {self.prog} --help"
        raise UsageError(message + hint)


def _is_list(field: FieldInfo) -> bool:
    return any(get_origin(a) in (list, tuple) for a in (field.annotation, *get_args(field.annotation)))


def _holds_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _split(value: Any) -> Any:
    """Take ``a,b`` and ``[a, "b,c"]`` apart alike: flags repeat, variables cannot. Leaves the rest to validation."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return value
    return [piece.strip() for part in parts for piece in part.split(",") if piece.strip()]


def _read_dotenv() -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(DOTENV).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{DOTENV}: cannot be read ({error}); expected lines of NAME=value in UTF-8") from None


def _metavar(field: FieldInfo) -> str:
    for annotation in (field.annotation, *get_args(field.annotation)):
        if get_origin(annotation) is Literal:
            return "{" + ",".join(str(a) for a in get_args(annotation)) + "}"
        if annotation in (int, float):
            return "N"
        if annotation is Path:
            return "FILE"
    return "VALUE"


def _help(field: FieldInfo, variable: str) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        shown = "required"
    elif default is None or default in ("", [], ()):
        shown = "unset"
    else:
        shown = f"default {default}"
    return f"{field.description or ''} [{shown}; {variable}]".replace("%", "%%")


def _meant(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Suggest the nearest of ``known``; a prefix that all share says nothing of nearness."""
    by_rest = {candidate.removeprefix(prefix): candidate for candidate in known}
    close = difflib.get_close_matches(name.removeprefix(prefix), by_rest, n=1)
    return f"; did you mean {by_rest[close[0]]}?" if close else "; see --help for those there are"
