"""How many sockets may be held, and by which certificate."""

from __future__ import annotations

import resource
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from evcharging.apps.ocpp_gateway.gateway import FILES_KEPT_FREE, most_sockets, tls_context
from evcharging.apps.ocpp_gateway.settings import GatewaySettings
from evcharging.apps.runtime.errors import UsageError


@pytest.fixture
def open_files() -> Iterator[int]:
    """A soft limit of 1,024 open files, as it is often found."""
    found = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, found[1]))
    yield 1_024
    resource.setrlimit(resource.RLIMIT_NOFILE, found)


def test_as_many_sockets_as_the_limit_of_open_files_allows(open_files: int) -> None:
    assert most_sockets(None) == open_files - FILES_KEPT_FREE
    assert most_sockets(100) == 100


def test_more_than_the_limit_is_refused_with_the_command_that_mends_it(open_files: int) -> None:
    with pytest.raises(UsageError, match=r"takes 10256 open files and 1024 are allowed.*--nofile=10256"):
        most_sockets(10_000)


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls_context(GatewaySettings()) is None


def test_a_certificate_makes_tls_that_asks_for_the_clients_where_signers_are_known(tmp_path: Path) -> None:
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    plain = tls_context(GatewaySettings(tls_certificate=tmp_path / "own.pem"))
    mutual = tls_context(GatewaySettings(tls_certificate=tmp_path / "own.pem", tls_client_ca=tmp_path / "ca.pem"))

    assert plain is not None
    assert plain.verify_mode is ssl.CERT_NONE
    assert plain.minimum_version is ssl.TLSVersion.TLSv1_2
    assert mutual is not None
    assert mutual.verify_mode is ssl.CERT_OPTIONAL


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "own.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UsageError, match=r"--tls-certificate .*own\.pem"):
        tls_context(GatewaySettings(tls_certificate=path))


def test_signers_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))

    with pytest.raises(UsageError, match=r"--tls-client-ca .*ca\.pem"):
        tls_context(GatewaySettings(tls_certificate=tmp_path / "own.pem", tls_client_ca=tmp_path / "ca.pem"))
