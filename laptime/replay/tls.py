"""A certificate authority of the replay's own, for loopback and for as long as the server runs.

Nothing trusts it but the client that is told to: no system's store is touched.
"""

from __future__ import annotations

import tempfile
from pathlib import Path


class TlsError(Exception):
    """TLS was asked for and can't be had; the message says what to install."""


class Authority:
    """Made when TLS is first asked for; `close` removes its files.

    ca_file      the authority's certificate, for clients (PEM)
    certificate  the server's certificate and its key (PEM)
    """

    def __init__(self) -> None:
        try:
            import trustme  # 0.1 s, and for TLS only
        except ImportError:
            raise TlsError("TLS needs trustme: `pip install 'laptime[tls]'`") from None
        self._directory = tempfile.TemporaryDirectory(prefix="laptime-tls-")
        self.ca_file = Path(self._directory.name) / "ca.pem"
        self.certificate = Path(self._directory.name) / "server.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
            str(self.certificate)
        )

    def close(self) -> None:
        """Remove the files."""
        self._directory.cleanup()
