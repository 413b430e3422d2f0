"""The server's half of TLS: with its key it is known on each connection, whoever else may have its port."""

import os
import ssl


def server_context(certificate: str, private_key: str) -> ssl.SSLContext:
    """A server's context with the session's own pair, PEM each.

    Raises:
        ssl.SSLError: they are no pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL takes keys from files alone; this one is in no directory.
    descriptor = os.memfd_create("skiva-key")
    try:
        os.write(descriptor, f"{certificate}{private_key}".encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context
