"""The ways to sign in of the operators' manual: its own lines, before real directories and a real hub."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.hub import HubClient
from tests.support.identity_provider import IdentityProvider, identity_provider
from tests.support.ldap_server import ldap_server
from tests.support.manual import block, commands
from tests.support.own_hub import OwnHub
from tests.support.visitor import sign_in, xsrf_of

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has a hub that serves several people"),
]

_PAGE = "operators/sign-in.md"
_INSTALLED = Path(__file__).parents[2] / "hub_config" / "jupyterhub_config.py"
_SECRET = "known-to-the-provider"

OwnSite = Callable[[str, str], None]
"""Lets the hub run with lines below its configuration and the slice h100 for one group."""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of the test's own."""
    here = Path(tempfile.mkdtemp(prefix="skiva-sign-in-", dir="/var/tmp"))
    here.chmod(0o755)
    yield here
    shutil.rmtree(here)


@pytest.fixture
def own_cluster(new_cluster: Callable[..., Any]) -> Any:
    """A cluster whose people, groups and administrators are nobody else's."""
    return new_cluster()


@pytest.fixture
def own_site(own_cluster: Any) -> Iterator[OwnSite]:
    """See `OwnSite`; the lines come below those that are installed."""
    with HubClient(own_cluster.url, own_cluster.admin_token) as client:
        hub = OwnHub(own_cluster, client)

        def use(lines: str, group: str) -> None:
            site = own_cluster.dir / "site.toml"
            groups = block(_PAGE, "Groups", "toml").replace("gpu-users", group)
            assert site.read_text().count('id = "h100"\n') == 1
            site.write_text(site.read_text().replace('id = "h100"\n', f'id = "h100"\n{groups}'))
            _, mark, last = _INSTALLED.read_text().partition("# PAM is JupyterHub's default")
            assert "allow_all = True" in last
            hub.take_over(f"c.Authenticator.allowed_users = set()\n{mark}{last}\n{lines}")

        yield use
        hub.kill()


def _offered(visitor: httpx.Client) -> set[str]:
    page = visitor.get("/hub/spawn")
    assert page.status_code == 200, page.text[:500]
    return set(re.findall(r'data-slice="([^"]+)"', page.text))


def _answer(url: str, name: str, password: str) -> tuple[int, str]:
    """What the form answers to a name and a password."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False, follow_redirects=True) as client:
        form = {"username": name, "password": password, "_xsrf": xsrf_of(client.get("/hub/login").text)}
        answer = client.post("/hub/login?next=/hub/home", data=form)
        return answer.status_code, "".join(re.findall(r"Invalid username or password", answer.text))


@pytest.fixture
def provider(own_cluster: Any, free_port: int) -> Iterator[IdentityProvider]:
    """The identity provider that the manual's client is registered with."""
    redirect = f"{own_cluster.url.rstrip('/')}/hub/oauth_callback"
    with identity_provider(free_port, "skiva", _SECRET, redirect) as provider:
        yield provider


def _with_provider(own_cluster: Any, provider: IdentityProvider, directory: Path) -> str:
    """The manual's lines, with the addresses of this machine and the secret put down as it says."""
    [line] = commands(_PAGE, "OpenID Connect")
    line = line.replace("/etc/skiva", str(directory))
    kept = ["/bin/sh", "-euc", line.replace("skiva-hub", (own_cluster.dir / "hub").owner())]
    subprocess.run(kept, input=f"{_SECRET}\n", text=True, check=True)
    lines = block(_PAGE, "OpenID Connect", "python").replace("/etc/skiva", str(directory))
    lines = lines.replace("https://hub.example.org", own_cluster.url.rstrip("/"))
    return lines.replace("https://id.example.org/realms/site/protocol/openid-connect", provider.url)


def test_an_identity_provider_says_who_may_in_and_what_is_offered(
    own_cluster: Any, own_site: OwnSite, provider: IdentityProvider, directory: Path
) -> None:
    """A member is offered the group's slice, others are not, who is in no allowed group stays outside."""
    own_site(_with_provider(own_cluster, provider, directory), "gpu-users")
    with HubClient(own_cluster.url, own_cluster.admin_token) as hub:

        def visit(person: str, *groups: str) -> set[str] | None:
            """What a person is offered with these groups; None where the hub does not let them in."""
            provider.claims = {"sub": "7", "preferred_username": person, "groups": list(groups)}
            with httpx.Client(
                base_url=own_cluster.url, timeout=60, trust_env=False, follow_redirects=True
            ) as visitor:
                answer = visitor.get("/hub/oauth_login?next=/hub/home")
                if (answer.status_code, answer.url.path) == (403, "/hub/oauth_callback"):
                    return None
                assert (answer.status_code, answer.url.path) == (200, "/hub/home"), answer.text[:500]
                return _offered(visitor)

        ann, ben, eve, root = own_cluster.people
        everybody = visit(ben, "cluster-users")
        assert everybody is not None
        assert everybody & {"cpu", "h100"} == {"cpu"}
        assert visit(ann, "cluster-users", "gpu-users") == everybody | {"h100"}
        assert visit(eve, "gpu-users") is None
        assert visit(root, "cluster-users", "cluster-admins") == everybody
        told = {person: hub.get(f"users/{person}") for person in (ann, ben, root)}
        assert [told[person]["admin"] for person in (ann, ben, root)] == [False, False, True]
        assert told[ann]["groups"] == ["cluster-users", "gpu-users"]
        assert hub.get(f"users/{eve}")["groups"] == []
        assert visit(ann, "cluster-users") == everybody  # left the group


def test_an_ldap_server_says_who_may_in_and_unix_groups_what_is_offered(
    own_cluster: Any, own_site: OwnSite, directory: Path, free_port: int
) -> None:
    """Over a connection that is checked; a wrong password, and who is in no allowed group, stay outside."""
    ann, ben, eve, _ = own_cluster.people
    with ldap_server(directory, free_port, [ann, ben, eve], "right", [ann, ben]) as trusted:
        lines = block(_PAGE, "LDAP", "python").replace("ldap.example.org", "127.0.0.1").replace("alice", ben)
        lines = lines.replace("/etc/ssl/certs/ca-certificates.crt", str(trusted))
        lines += f"c.LDAPAuthenticator.server_port = {free_port}\n{block(_PAGE, 'Groups', 'python')}"
        own_site(lines, ann)  # each account is in a group of its own name
        url = own_cluster.url
        with sign_in(url, ben, "right") as visitor:
            everybody = _offered(visitor)
        assert everybody & {"cpu", "h100"} == {"cpu"}
        with sign_in(url, ann, "right") as visitor:
            assert _offered(visitor) == everybody | {"h100"}
        refused = (403, "Invalid username or password")
        assert _answer(url, ann, "wrong") == _answer(url, eve, "right") == refused
        with HubClient(url, own_cluster.admin_token) as hub:
            assert [hub.get(f"users/{person}")["admin"] for person in (ann, ben)] == [False, True]


def test_a_password_is_not_told_to_an_ldap_server_that_is_not_trusted(
    own_cluster: Any, own_site: OwnSite, directory: Path, free_port: int
) -> None:
    """A server with a certificate that the machine's authorities have not signed learns nothing."""
    [ann, *_] = own_cluster.people
    with ldap_server(directory, free_port, [ann], "right", [ann]):
        lines = block(_PAGE, "LDAP", "python").replace("ldap.example.org", "127.0.0.1")
        own_site(f"{lines}c.LDAPAuthenticator.server_port = {free_port}\n", ann)
        assert _answer(own_cluster.url, ann, "right") == (500, "")
        assert "certificate verify failed" in (own_cluster.dir / "log" / "hub.log").read_text()


@pytest.fixture
def pam_service() -> Iterator[str]:
    """A service of PAM's that takes any password, as a directory takes the right one."""
    name = f"skiva-tests-{os.getpid()}"
    path = Path("/etc/pam.d") / name
    path.write_text("auth required pam_permit.so\naccount required pam_permit.so\n")
    yield name
    path.unlink()


def test_unix_groups_say_who_may_in_by_pam_and_what_is_offered(
    own_cluster: Any, own_site: OwnSite, pam_service: str
) -> None:
    """With a password that PAM takes; who is in no allowed group stays outside."""
    ann, ben, eve, _ = own_cluster.people
    lines = block(_PAGE, "PAM", "python").replace('"cluster-users"', f"{ann!r}, {ben!r}")
    lines = lines.replace("cluster-admins", ben)
    lines += f"c.PAMAuthenticator.service = {pam_service!r}\n{block(_PAGE, 'Groups', 'python')}"
    own_site(lines, ann)
    with sign_in(own_cluster.url, ben, "any") as visitor:
        everybody = _offered(visitor)
    assert everybody & {"cpu", "h100"} == {"cpu"}
    with sign_in(own_cluster.url, ann, "any") as visitor:
        assert _offered(visitor) == everybody | {"h100"}
    assert _answer(own_cluster.url, eve, "any") == (403, "Invalid username or password")
    with HubClient(own_cluster.url, own_cluster.admin_token) as hub:
        assert [hub.get(f"users/{person}")["admin"] for person in (ann, ben)] == [False, True]
