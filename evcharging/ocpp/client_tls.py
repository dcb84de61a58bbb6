"""What a station's TLS trusts and shows: who signed for its CSMS, and a certificate of its own (profiles 2 and 3)."""

from __future__ import annotations

import ssl
from pathlib import Path

__all__ = ["BadTlsFile", "client_tls"]


class BadTlsFile(ValueError):
    """A certificate or key that cannot be read or does not fit; the message names the file."""


def client_tls(
    *, ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """The TLS of a station: 1.2 or newer, the CSMS's name checked.

    Args:
        ca_file: certificates to trust, PEM; None for those that this machine trusts.
        cert_file: the station's certificate with its chain, PEM; with it the CSMS knows the station (profile 3).
        key_file: its private key, PEM and without a pass phrase; None where ``cert_file`` holds it too.

    Raises:
        BadTlsFile: a file cannot be read, is no PEM, or the key is another certificate's.
    """
    if key_file is not None and cert_file is None:
        raise BadTlsFile(f"{key_file}: a key without its certificate; give both")
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise BadTlsFile(f"{ca_file}: cannot be used as certificates to trust ({_told(error)})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file, password=_no_pass_phrase)
        except (OSError, ssl.SSLError) as error:
            files = cert_file if key_file is None else f"{cert_file} with {key_file}"
            raise BadTlsFile(f"{files}: cannot be used as a certificate and its key ({_told(error)})") from None
    return context


def _no_pass_phrase() -> str:
    """Keep OpenSSL from asking at the terminal."""
    return ""


def _told(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return reason or str(error)
