"""The keys of a cluster: made for it alone, in its private directory, and good for nothing else."""

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from skiva.dask import tls_errors
from skiva.dask.place import ClusterDir
from skiva.runs.files import write_whole

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate
    from distributed import Security

__all__ = ["load", "make_keys", "server_context"]

_CLOCKS, _LONGEST = timedelta(days=1), timedelta(days=400)
"""How far clocks may be apart, and how long a cluster may live; Slurm ends its jobs long before."""
_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def make_keys(place: ClusterDir) -> None:
    """A key and the certificate that it signs itself; whoever can read them is the cluster's owner.

    Raises:
        OSError: they could not be written.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    # On a curve: every connection begins with this key, and RSA's take ten times as long.
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_whole(place.key, private, sync=False)
    write_whole(place.certificate, _certificate(key, place.id).public_bytes(Encoding.PEM), sync=False)


def _certificate(key: "EllipticCurvePrivateKey", cluster: str) -> "Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cluster)])
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    uses = dict.fromkeys(_USES, False) | {"digital_signature": True, "key_cert_sign": True}
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        # Clocks of nodes differ.
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(now + _LONGEST)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**uses), critical=True)
        .add_extension(own, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
        .sign(key, SHA256())
    )


def load(place: ClusterDir) -> "Security":
    """What schedulers, workers and clients of this cluster connect with; never without encryption."""
    from distributed import Security

    tls_errors.install()
    certificate, key = str(place.certificate), str(place.key)
    return Security(
        require_encryption=True,
        tls_ca_file=certificate,
        tls_client_cert=certificate,
        tls_client_key=key,
        tls_scheduler_cert=certificate,
        tls_scheduler_key=key,
        tls_worker_cert=certificate,
        tls_worker_key=key,
    )


def server_context(place: ClusterDir) -> ssl.SSLContext:
    """For the scheduler's pages: a browser without the cluster's key does not even get a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(place.certificate, place.key)
    context.load_verify_locations(place.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
