"""A real slapd on loopback with a few people and a group, in a directory of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.certificates import certificate
from tests.support.waiting import wait_until

__all__ = ["ldap_server"]

_CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
pidfile {here}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {here}/hub.example.org.pem
TLSCertificateKeyFile {here}/hub.example.org.key
security simple_bind=1
database mdb
suffix "dc=example,dc=org"
directory {here}/data
access to attrs=userPassword by anonymous auth by * none
access to * by users read
"""
_PEOPLE = """\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

"""
_PERSON = """\
dn: uid={name},ou=people,dc=example,dc=org
objectClass: account
objectClass: simpleSecurityObject
uid: {name}
userPassword: {password}

"""
_GROUP = """\
dn: cn=cluster-users,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: cluster-users
"""


@contextmanager
def ldap_server(
    here: Path, port: int, people: Sequence[str], password: str, allowed: Sequence[str]
) -> Iterator[Path]:
    """Serve `people`, of whom some are in the group cluster-users; gives the certificate to trust.

    It takes passwords over TLS alone.
    """
    trusted = certificate(here)
    (here / "data").mkdir()
    conf, entries = here / "slapd.conf", here / "people.ldif"
    conf.write_text(_CONF.format(here=here))
    members = "".join(f"member: uid={name},ou=people,dc=example,dc=org\n" for name in allowed)
    everybody = "".join(_PERSON.format(name=name, password=password) for name in people)
    entries.write_text(f"{_PEOPLE}{everybody}{_GROUP}{members}")
    slapadd = ["/usr/sbin/slapadd", "-f", str(conf), "-l", str(entries)]
    subprocess.run(slapadd, check=True, capture_output=True, timeout=60)
    with (here / "log").open("w") as log:
        # With a level of debugging it stays in the foreground.
        argv = ["/usr/sbin/slapd", "-d", "0", "-f", str(conf), "-h", f"ldap://127.0.0.1:{port}/"]
        server = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until(lambda: server.poll() is not None or (here / "pid").exists(), 20, "slapd listens")
            assert server.poll() is None, (here / "log").read_text()
            yield trusted
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
