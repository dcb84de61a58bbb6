"""How to be let in to the Kafka to look into."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import trustme

from evcharging.apps.runtime.kafka import KafkaServiceSettings
from evcharging.apps.topics import main as topics
from evcharging.apps.topics.kafka import SaslMechanism, kafka_settings
from evcharging.bus.kafka_settings import KafkaSettings

SETTINGS_PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "settings.md"


def settings(**options: Any) -> KafkaSettings:
    nothing = {"tls": False, "ca_file": None, "sasl": None, "username": None, "password": None}
    return kafka_settings("kafka:9093", **{**nothing, **options})


def test_without_a_word_it_is_plain() -> None:
    assert settings().client_options()["security_protocol"] == "PLAINTEXT"


def test_a_login_over_tls_is_what_the_client_does(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    login = {"sasl": SaslMechanism.SCRAM_SHA_512, "username": "ev", "password": "hush"}
    made = settings(tls=True, ca_file=tmp_path / "ca.pem", **login)
    options = made.client_options()
    assert (options["security_protocol"], options["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("ev", "hush")
    assert options["ssl_context"].check_hostname
    assert "hush" not in repr(made)


def test_the_environment_says_it_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOPICS_KAFKA_SASL", "PLAIN")
    monkeypatch.setenv("TOPICS_KAFKA_USERNAME", "ev")
    assert topics.main(["list"]) == 2
    assert "needs a user name and a password" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["list", "tail"])
def test_the_flags_are_those_of_the_services_and_all_are_documented(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert topics.main([command, "--help"]) == 0
    told = set(re.findall(r"--kafka-[a-z-]+", capsys.readouterr().out))
    of_services = {f"--{name.replace('_', '-')}" for name in KafkaServiceSettings.model_fields if "kafka" in name}
    assert told == of_services
    page = SETTINGS_PAGE.read_text(encoding="utf-8")
    for flag in told:
        variable = "TOPICS_" + flag.removeprefix("--").replace("-", "_").upper()
        assert f"| `{flag}` | `{variable}` |" in page
