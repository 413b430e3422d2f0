"""The web servers of the operators' manual, each with the file that we ship, before a real hub."""

import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.certificates import certificate
from tests.support.hub import HubClient
from tests.support.kernel import run_code
from tests.support.visitor import sign_in
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root installs web servers"),
]

_SHIPPED = Path(__file__).parents[2] / "packaging" / "web-server"
_NGINX = """\
daemon off;
user root;
pid {here}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
    include {site};
}}
"""
_APACHE = """\
ServerRoot {here}
PidFile {here}/pid
ErrorLog /dev/stderr
User www-data
Group www-data
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
{modules}
Include {site}
"""
_MODULES = (
    "mpm_event",
    "authz_core",
    "headers",
    "socache_shmcb",
    "ssl",
    "proxy",
    "proxy_http",
)


def _nginx(here: Path, site: str, port: int) -> list[str]:
    main, own = here / "nginx.conf", here / "site.conf"
    own.write_text(site.replace("listen 443", f"listen 127.0.0.1:{port}"))
    main.write_text(_NGINX.format(here=here, site=own))
    return ["/usr/sbin/nginx", "-p", str(here), "-c", str(main), "-e", "stderr"]


def _apache(here: Path, site: str, port: int) -> list[str]:
    main, own = here / "apache.conf", here / "site.conf"
    own.write_text(site.replace("*:443", f"127.0.0.1:{port}"))
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in _MODULES
    )
    main.write_text(_APACHE.format(here=here, port=port, modules=modules, site=own))
    return ["/usr/sbin/apache2", "-DFOREGROUND", "-f", str(main)]


def _caddy(here: Path, site: str, port: int) -> list[str]:
    own = here / "Caddyfile"
    own.write_text(
        "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n"
        + site.replace(
            "hub.example.org {",
            f"https://127.0.0.1:{port} {{\n\ttls {here}/hub.example.org.pem {here}/hub.example.org.key",
        )
    )
    return ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", str(own)]


_SERVERS: dict[str, Callable[[Path, str, int], list[str]]] = {
    "nginx.conf": _nginx,
    "apache.conf": _apache,
    "Caddyfile": _caddy,
}


@pytest.fixture(params=_SERVERS)
def site(
    request: pytest.FixtureRequest, cluster: Any, free_port: int
) -> Iterator[tuple[str, ssl.SSLContext]]:
    """The address that people know, and what they trust."""
    here = Path(tempfile.mkdtemp(prefix="skiva-web-", dir="/var/tmp"))
    here.chmod(0o755)
    trusted = certificate(here)
    shipped = (_SHIPPED / request.param).read_text()
    own = re.sub(r"/etc/ssl/(private/)?", f"{here}/", shipped).replace(
        "127.0.0.1:8000", f"127.0.0.1:{cluster.port}"
    )
    env = {"PATH": "/usr/sbin:/usr/bin", "HOME": str(here), "XDG_DATA_HOME": str(here)}
    with (here / "log").open("w+") as log:
        argv = _SERVERS[request.param](here, own, free_port)
        server = subprocess.Popen(argv, stdout=log, stderr=log, env=env, cwd=here, start_new_session=True)
        trust = ssl.create_default_context(cafile=str(trusted))
        url = f"https://127.0.0.1:{free_port}"

        def answers() -> bool:
            assert server.poll() is None, (here / "log").read_text()
            try:
                return httpx.get(f"{url}/hub/api", verify=trust, trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False

        try:
            wait_until(answers, 20, "the web server answers")
            yield url, trust
        finally:
            # Told to end, it would wait for connections that are kept alive.
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            shutil.rmtree(here)


def test_a_hub_behind_a_web_server_works_as_without(cluster: Any, site: tuple[str, ssl.SSLContext]) -> None:
    """Signing in with cookies for TLS alone, a kernel, a stream, an upload, and the visitor's own address."""
    url, trust = site
    person = cluster.people[0]
    forged = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "http", "X-Real-IP": "192.0.2.7"}
    transport = httpx.HTTPTransport(verify=trust, local_address="127.0.0.9")
    with sign_in(url, person, cluster.password, transport=transport, headers=forged) as visitor:
        # JupyterHub's mark against forgery is for itself alone; it opens nothing.
        cookies = {cookie.name: cookie for cookie in visitor.cookies.jar if cookie.name != "_xsrf"}
        assert cookies.keys() >= {"jupyterhub-hub-login", "jupyterhub-session-id"}
        assert all(cookie.secure for cookie in cookies.values()), cookies
    log = (cluster.dir / "log" / "hub.log").read_text()
    assert f"({person}@127.0.0.9)" in log
    assert "192.0.2.7" not in log
    with HubClient(cluster.url, cluster.admin_token) as hub:
        hub.start_server(person, {"slice": "cpu", "hours": 1})
        hub.wait_ready(person, 120)
        token = hub.user_token(person)
        try:
            own = f"{url}/user/{person}/"
            assert run_code(own, token, "print(6 * 7)", tls=trust) == "42\n"
            headers = {"Authorization": f"token {token}"}
            with httpx.Client(verify=trust, trust_env=False, headers=headers, timeout=60) as client:
                _hears_the_queue(client, url)
                _uploads(client, own)
        finally:
            hub.stop_server(person)
            hub.wait_stopped(person, 60)


def _hears_the_queue(client: httpx.Client, url: str) -> None:
    """The first event comes while the stream is open."""
    with client.stream("GET", f"{url}/services/skiva/stream") as stream:
        assert stream.status_code == 200
        assert next(line for line in stream.iter_lines() if line)


def _uploads(client: httpx.Client, own: str) -> None:
    """Far more than web servers take by themselves, into a name with a slash that is escaped."""
    body = {"type": "file", "format": "text", "content": "x" * (20 << 20)}
    answer = client.put(f"{own}api/contents/large%20file.txt", json=body)
    assert answer.status_code == 201, answer.text[:300]
    assert client.get(f"{own}api/contents/large%20file.txt?content=0").json()["size"] == 20 << 20
    assert client.delete(f"{own}api/contents/large%20file.txt").status_code == 204
