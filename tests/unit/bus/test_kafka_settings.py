from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evcharging.bus.kafka import KafkaBus
from evcharging.bus.kafka_settings import KafkaSettings


def test_what_makes_delivery_safe_is_always_set() -> None:
    settings = KafkaSettings("a:1, b:2", "central")
    producer, consumer = settings.producer_options(), settings.consumer_options()
    assert (producer["acks"], producer["enable_idempotence"]) == ("all", True)
    assert (consumer["enable_auto_commit"], consumer["auto_offset_reset"]) == (False, "earliest")
    assert 5 <= consumer["fetch_max_wait_ms"] <= 20
    assert consumer["session_timeout_ms"] == 6000
    assert producer["bootstrap_servers"] == consumer["bootstrap_servers"] == ["a:1", "b:2"]
    assert producer["client_id"] == consumer["client_id"] == "central"


@pytest.mark.parametrize(
    ("security", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"tls": True}, "SSL"),
        ({"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "p"}, "SASL_PLAINTEXT"),
        ({"tls": True, "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "u", "sasl_password": "p"}, "SASL_SSL"),
    ],
)
def test_credentials_and_encryption_are_passed_on(security: dict[str, Any], protocol: str) -> None:
    options = KafkaSettings("a:1", **security).client_options()
    assert options["security_protocol"] == protocol
    assert ("ssl_context" in options) == ("SSL" in protocol.removeprefix("SASL_"))
    assert options.get("sasl_plain_password") == security.get("sasl_password")


def test_a_password_is_not_shown() -> None:
    shown = repr(KafkaSettings("a:1", sasl_mechanism="PLAIN", sasl_username="user", sasl_password="hidden-word"))
    assert "user" in shown
    assert "hidden-word" not in shown


@pytest.mark.parametrize(
    ("bootstrap", "servers"),
    [
        ("localhost:9092", [("localhost", 9092)]),
        ("a:1, b:2", [("a", 1), ("b", 2)]),
        ("[::1]:9092", [("[::1]", 9092)]),
    ],
)
def test_addresses_are_taken_apart(bootstrap: str, servers: list[tuple[str, int]]) -> None:
    assert KafkaSettings(bootstrap).servers() == servers


@pytest.mark.parametrize("bootstrap", ["localhost", ":9092", "a:1,", "a:0", "a:65536", "a:b", "http://a"])
def test_an_address_without_a_host_and_a_port_is_refused(bootstrap: str) -> None:
    with pytest.raises(ValueError, match="expected host:port, as localhost:9092"):
        KafkaSettings(bootstrap).servers()


def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    missing, garbage = tmp_path / "missing.pem", tmp_path / "garbage.pem"
    garbage.write_text("not a certificate")
    for file in (missing, garbage):
        with pytest.raises(ValueError, match=rf"{file.name}.*expected PEM files"):
            KafkaBus(KafkaSettings("a:1", tls=True, tls_ca_file=str(file)))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"bootstrap": " "}, "expected host:port"),
        ({"partitions": 0}, "partitions is 0, expected 1 or more"),
        ({"sasl_mechanism": "PLAIN", "sasl_username": "u"}, "needs a user name and a password"),
        ({"tls": True, "tls_cert_file": "cert.pem"}, "needs both its certificate file and its key file"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        KafkaSettings(**({"bootstrap": "a:1"} | wrong))
