"""What a station's TLS is made of, and how files that do not serve are told."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from evcharging.ocpp.client_tls import BadTlsFile, client_tls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = trustme.CA()
    own, other = authority.issue_cert("a.example"), authority.issue_cert("b.example")
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "own.pem"))
    own.private_key_pem.write_to_path(str(tmp_path / "own.key"))
    other.private_key_pem.write_to_path(str(tmp_path / "other.key"))
    (tmp_path / "text.pem").write_text("no certificate")
    return tmp_path


def test_checks_names_and_speaks_no_old_tls(folder: Path) -> None:
    context = client_tls(cert_file=folder / "own.pem", key_file=folder / "own.key")
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"ca_file": "absent.pem"}, "absent.pem: cannot be used as certificates to trust"),
        ({"ca_file": "text.pem"}, "text.pem: cannot be used as certificates to trust"),
        ({"cert_file": "absent.pem"}, "absent.pem: cannot be used as a certificate and its key"),
        ({"cert_file": "own.pem"}, "own.pem: cannot be used"),
        ({"cert_file": "own.pem", "key_file": "other.key"}, "other.key: cannot be used"),
        ({"key_file": "own.key"}, "own.key: a key without its certificate"),
    ],
)
def test_names_the_file_that_does_not_serve(folder: Path, files: dict[str, str], told: str) -> None:
    with pytest.raises(BadTlsFile, match=told):
        client_tls(**{name: folder / file for name, file in files.items()})
