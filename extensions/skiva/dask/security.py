"""The keys of a cluster: made for it alone, in its private directory, and good for nothing else."""

import ssl
from typing import TYPE_CHECKING

from skiva.dask.place import ClusterDir
from skiva.runs.files import write_whole

if TYPE_CHECKING:
    from distributed import Security

__all__ = ["load", "make_keys", "server_context"]


def make_keys(place: ClusterDir) -> None:
    """A key and the certificate that it signs itself; whoever can read them is the cluster's owner.

    Raises:
        OSError: they could not be written.
    """
    from distributed import Security

    made = Security.temporary().get_tls_config_for_role("scheduler")
    write_whole(place.key, made["key"].encode(), sync=False)
    write_whole(place.certificate, made["cert"].encode(), sync=False)


def load(place: ClusterDir) -> "Security":
    """What schedulers, workers and clients of this cluster connect with; never without encryption."""
    from distributed import Security

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
