"""A certificate for each session: a port of a node is anybody's, and only the session has the key.

The hub makes the pair. The key goes into the session's private file and is kept nowhere else; with the
certificate the hub and the proxy know the session, on each connection that they open to it.
"""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from skiva_spawners.errors import NotOurServer

NAME = "skiva-session"
"""What each certificate is for. The address of a node proves nothing, so it is in none of them."""

_CLOCKS, _LONGEST = timedelta(days=1), timedelta(days=400)
"""How far clocks may be apart, and how long a session may live; Slurm ends its job long before."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: str
    private_key: str = field(repr=False)

    @classmethod
    def new(cls) -> "Pair":
        """A key that nobody had before, and the certificate that it signs itself."""
        # On a curve: each connection begins with this key, and RSA's take ten times as long.
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - _CLOCKS)
            .not_valid_after(now + _LONGEST)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(key, SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return cls(certificate.public_bytes(Encoding.PEM).decode(), private.decode())


def trust(certificate: str) -> ssl.SSLContext:
    """A client's context in which nobody but the holder of this certificate's key is let through.

    Raises:
        ssl.SSLError: it is no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=certificate)
    return context


async def verify(url: str, certificate: str, timeout: float) -> None:
    """See that the server at `url` (its base address, with a slash at the end) has the certificate's key.

    Raises:
        NotOurServer: something answered, but did not prove to have it.
        OSError, TimeoutError, HTTPClientError: nothing answered, which proves nothing.
    """
    client = AsyncHTTPClient(force_instance=True, max_body_size=4096)
    try:
        request = HTTPRequest(
            f"{url}api",
            request_timeout=timeout,
            connect_timeout=timeout,
            follow_redirects=False,
            ssl_options=trust(certificate),
        )
        await client.fetch(request)
    except HTTPClientError as answer:
        if answer.code == 599:
            raise
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise  # who hangs up has not said who it is
    except ssl.SSLError:
        raise NotOurServer(
            "Something else answers where your session should be, so it was not opened."
        ) from None
    finally:
        client.close()
