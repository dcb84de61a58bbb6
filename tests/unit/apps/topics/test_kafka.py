"""How to be let in to the Kafka to look into."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trustme

from evcharging.apps.runtime.kafka import KafkaServiceSettings
from evcharging.apps.topics import main as topics
from evcharging.apps.topics.kafka import SaslMechanism, kafka_settings
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.protocol import BusUnavailable

SETTINGS_PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "settings.md"


def test_without_a_word_it_is_plain() -> None:
    assert kafka_settings(kafka_bootstrap="kafka:9093").client_options()["security_protocol"] == "PLAINTEXT"


def test_a_login_over_tls_is_what_the_client_does(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    made = kafka_settings(
        kafka_bootstrap="kafka:9093",
        kafka_tls=True,
        kafka_ca_file=tmp_path / "ca.pem",
        kafka_sasl=SaslMechanism.SCRAM_SHA_512,
        kafka_username="ev",
        kafka_password="hush",
    )
    options = made.client_options()
    assert (options["security_protocol"], options["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("ev", "hush")
    assert options["ssl_context"].check_hostname
    assert "hush" not in repr(made)


def test_the_environment_says_it_all_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[KafkaSettings] = []

    async def nobody_there(settings: KafkaSettings) -> None:
        asked.append(settings)
        raise BusUnavailable("no Kafka here")

    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    said = {"BOOTSTRAP": "kafka:9093", "TLS": "true", "CA_FILE": str(tmp_path / "ca.pem"), "SASL": "PLAIN"}
    for name, value in {**said, "USERNAME": "ev", "PASSWORD": "hush"}.items():
        monkeypatch.setenv(f"TOPICS_KAFKA_{name}", value)
    monkeypatch.setattr(topics, "topic_offsets", nobody_there)
    assert topics.main(["list"]) == 0
    (made,) = asked
    assert (made.bootstrap, made.tls, made.tls_ca_file) == ("kafka:9093", True, str(tmp_path / "ca.pem"))
    assert (made.sasl_mechanism, made.sasl_username, made.sasl_password) == ("PLAIN", "ev", "hush")


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
