from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.protocol import BadAddress


def test_host_and_port_are_read() -> None:
    address = MqttAddress.parse("mqtt://broker.example:1884")
    assert (address.host, address.port, address.tls) == ("broker.example", 1884, False)
    assert (address.username, address.password, address.tls_context()) == (None, None, None)


def test_the_ports_default_to_those_registered_for_mqtt() -> None:
    assert MqttAddress.parse("mqtt://localhost").port == 1883
    assert MqttAddress.parse("mqtts://localhost").port == 8883


def test_an_ipv6_host_is_read_and_shown_in_brackets() -> None:
    address = MqttAddress.parse("mqtt://[::1]:1883/")
    assert address.host == "::1"
    assert str(address) == "mqtt://[::1]:1883"


@given(st.text(min_size=1), st.text())
def test_any_user_and_password_can_be_given_percent_encoded(username: str, password: str) -> None:
    try:
        url = f"mqtt://{quote(username, safe='')}:{quote(password, safe='')}@localhost"
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    address = MqttAddress.parse(url)
    assert address.username == username
    assert address.password == (password or None)


def test_the_password_is_in_no_repr_and_no_string() -> None:
    address = MqttAddress.parse("mqtt://user:s3cret@localhost")
    assert "s3cret" not in repr(address)
    assert "s3cret" not in str(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:1883",
        "http://user:s3cret@localhost",
        "mqtt://",
        "mqtt://user:s3cret@",
        "mqtt://:s3cret@localhost",
        "mqtt://user:s3cret@localhost:0x50",
        "mqtt://user:s3cret@localhost:70000",
        "mqtt://user:s3cret@localhost/topic",
        "mqtt://user:s3cret@localhost?x=1",
        "mqtt://user:s3cret@[::1",
        "mqtt://user:s3cret/@localhost:1883",
    ],
)
def test_what_is_no_address_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(BadAddress, match="expected mqtt://") as refused:
        MqttAddress.parse(url)
    assert "s3cret" not in str(refused.value)


@given(st.text())
def test_any_text_is_an_address_or_a_typed_error(text: str) -> None:
    for url in (text, "mqtt://" + text):
        try:
            address = MqttAddress.parse(url)
        except BadAddress:
            continue
        assert address.host
        assert 0 < address.port <= 65535


def test_a_ca_file_is_for_tls_only() -> None:
    with pytest.raises(BadAddress, match="mqtts"):
        MqttAddress.parse("mqtt://localhost", ca_file="ca.pem")


def test_a_ca_file_that_cannot_be_used_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadAddress, match=r"missing\.pem"):
        MqttAddress.parse("mqtts://localhost", ca_file=tmp_path / "missing.pem")
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(BadAddress, match=r"bad\.pem"):
        MqttAddress.parse("mqtts://localhost", ca_file=tmp_path / "bad.pem")


def test_tls_checks_the_brokers_certificate_and_name() -> None:
    context = MqttAddress.parse("mqtts://localhost").tls_context()
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
