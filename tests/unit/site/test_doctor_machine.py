"""The doctor on the hub's machine: who can change what runs, what sudo allows, how the hub answers."""

import asyncio
import grp
import http.server
import json
import os
import pwd
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from skiva_hub.doctor import environments, helper, machine
from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Group, Level
from skiva_hub.doctor.on_node import ask_hub
from skiva_hub.doctor.paths import steps, weaknesses
from skiva_hub.site import Site
from skiva_hub.site_file import load
from skiva_slurm.jobs import Node

EXAMPLES = Path(__file__).parents[3] / "hub_config" / "examples"
ME = {os.getuid(), 0}


def site(**hub: Any) -> Site:
    """The embedded example with another hub."""
    data = load(EXAMPLES / "embedded.toml").model_dump()
    data["hub"].update(hub)
    return Site.model_validate(data)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a program in it, closed to others' changes, whatever the umask."""
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    for path in (tmp_path, program.parent, program):
        path.chmod(0o755)
    return program


def found(path: Path, *, for_all: bool = False) -> list[str]:
    """The weaknesses below the test's own directory."""
    return [w for w in weaknesses(path, ME, for_all=for_all) if str(path.parents[1]) in w]


def test_a_path_that_only_its_owner_can_change_has_no_weakness(tree: Path) -> None:
    """A program of one's own, in directories of one's own, is fine."""
    assert found(tree) == []


@pytest.mark.parametrize("level", [0, 1], ids=["program", "directory"])
@pytest.mark.parametrize(("mode", "who"), [(0o757, "everybody"), (0o775, "its group")])
def test_what_others_can_change_is_named(tree: Path, level: int, mode: int, who: str) -> None:
    """A component that group or others may write is a weakness, whichever it is."""
    part = [tree, tree.parent][level]
    part.chmod(mode)
    os.chown(part, -1, os.getgid() or 12345)
    assert found(tree) == [f"{part} can be changed by {who}"]


def test_a_component_of_somebody_else_is_named(tree: Path) -> None:
    """Who owns a directory decides what is in it."""
    if os.getuid():
        pytest.skip("only root can give files away")
    os.chown(tree.parent, 65534, -1)
    assert found(tree) == [f"{tree.parent} belongs to nobody"]


def test_what_a_link_leads_to_counts_too(tree: Path) -> None:
    """A link to a place that others can change is as weak as the place."""
    other = tree.parents[1] / "other"
    other.mkdir()
    other.chmod(0o777)
    (other / "real").write_text("")
    (other / "real").chmod(0o755)
    tree.unlink()
    tree.symlink_to("../other/./real")
    assert found(tree) == [f"{other} can be changed by everybody"]
    assert steps_end(tree) == other / "real"


def steps_end(path: Path) -> Path:
    """Where a path leads to."""
    return [*steps(path)][-1]


def test_a_sticky_directory_lets_nobody_replace_what_belongs_to_others(tree: Path) -> None:
    """In /tmp and its like only a file's owner can replace it."""
    tree.parent.chmod(0o1777)
    assert found(tree) == []


def test_what_other_accounts_cannot_run_is_named_where_they_must(tree: Path) -> None:
    """A Python below a closed home cannot start anybody else's session."""
    tree.parents[1].chmod(0o700)
    assert found(tree, for_all=True) == [f"{tree.parents[1]} is closed to other accounts"]
    assert found(tree) == []


def test_links_in_a_circle_are_an_error_and_no_endless_loop(tmp_path: Path) -> None:
    """A path that leads nowhere ends the check."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="too many links"):
        list(steps(tmp_path / "a"))


def test_an_environment_that_is_not_here_is_a_warning_and_a_weak_one_an_error(tree: Path) -> None:
    """Nodes may have what the hub's machine has not; what others can change is never right."""
    data = site().model_dump()
    data["environment"][0]["python"] = tree
    tree.chmod(0o777)
    (weak,) = environments.environments(Site.model_validate(data))
    assert (weak.level, f"{tree} can be changed by everybody" in weak.sentence) == (Level.ERROR, True)
    data["environment"][0]["python"] = tree.with_name("none")
    (absent,) = environments.environments(Site.model_validate(data))
    assert (absent.level, "is not on this machine" in absent.sentence) == (Level.WARNING, True)


@pytest.mark.parametrize(
    ("command", "program"),
    [
        (("/usr/bin/sudo", "-n", "-u", "{user}", "--", "/opt/skiva-act"), "/opt/skiva-act"),
        (("sudo", "-u", "{user}", "/opt/skiva-act"), "/opt/skiva-act"),
        (("/opt/skiva-act",), "/opt/skiva-act"),
        (("skiva-act",), None),
        ((), None),
    ],
)
def test_the_helpers_program_is_found_in_its_command_line(
    command: tuple[str, ...], program: str | None
) -> None:
    """What is checked is what acts as the user, not sudo."""
    assert helper.helper_program(command) == (Path(program) if program else None)


def examined(**hub: Any) -> list[Finding]:
    """What is said of the helper of a hub."""
    found, _ = asyncio.run(helper.examine(site(**hub), "skiva-hub", None))
    return found


def test_a_helper_that_is_missing_or_weak_is_an_error(tree: Path) -> None:
    """No helper, one without a path, one that is not there, one that others can change."""
    for command, words in [
        ([], "names no helper"),
        (["skiva-act"], "no program with its whole path"),
        ([str(tree.with_name("none"))], "is not there"),
    ]:
        (finding,) = examined(helper=command)
        assert (finding.level, words in finding.sentence) == (Level.ERROR, True), command
    tree.chmod(0o777)
    (finding,) = examined(helper=[str(tree)])
    assert "can be changed by everybody" in finding.sentence


def configured(tree: Path, **changes: Any) -> Path:
    """The helper's configuration, as it fits the embedded example but for some changes."""
    example = load(EXAMPLES / "embedded.toml")
    told = {
        "bin": str(example.cluster.bin),
        "env": {"SLURM_CONF": str(example.cluster.conf)},
        "run_dirs": ".local/state/skiva/servers",
        "operators": [],
    }
    path = tree.parents[1] / "etc" / "act.json"
    path.parent.mkdir()
    path.write_text(json.dumps(told | changes))
    return path


@pytest.mark.parametrize(
    ("says", "level", "words"),
    [
        ("""echo '{"error": "not a request: KeyError"}'""", "ok", "The helper answers as"),
        (
            """echo '{"error": "No such file or directory (/x/etc/act.json)"}'""",
            "error",
            "cannot work: No such",
        ),
        ("echo nonsense >&2", "error", "does not answer as"),
        ("exit 1", "error", "it said nothing"),
    ],
)
def test_the_helper_is_tried(tree: Path, says: str, level: str, words: str) -> None:
    """A helper without {user} is asked as this account, and its answer is judged; only a good one is used."""
    tree.write_text(f"#!/bin/sh\n{says}\n")
    configured(tree)
    found, way = asyncio.run(helper.examine(site(helper=[str(tree)]), "skiva-hub", None))
    assert [(f.level, words in f.sentence) for f in found] == [(level, True)], found
    assert way == (helper.Way(helper.myself(), (str(tree),), as_hub=True) if level == "ok" else None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"run_dirs": ".skiva"},
            "has .skiva as run_dirs, the site file .local/state/skiva/servers as run_dirs",
        ),
        ({"bin": "/opt/slurm/bin"}, "has /opt/slurm/bin as bin, the site file /usr/bin as bin in [cluster]"),
        ({"env": {"SLURM_CONF": "/etc/slurm.conf"}}, "has /etc/slurm.conf as SLURM_CONF"),
        ({"env": {}}, "has nothing as SLURM_CONF"),
    ],
)
def test_a_helper_that_works_on_something_else_than_the_hub_is_an_error(
    tree: Path, changes: dict[str, Any], words: str
) -> None:
    """Sessions would be started with one Slurm, or in one place, and looked for in another."""
    path = configured(tree, **changes)
    (finding,) = examined(helper=[str(tree)])
    assert (finding.level, f"{path} {words}" in finding.sentence) == (Level.ERROR, True), finding
    path.unlink()
    (finding,) = examined(helper=[str(tree)])
    assert f"The helper's configuration {path} cannot be read." in finding.sentence


def test_who_serves_one_account_acts_as_nobody_else(tree: Path) -> None:
    """A person's name on a site of one account is a mistake that is told, not passed over."""
    configured(tree)
    found, way = asyncio.run(helper.examine(site(helper=[str(tree)]), "skiva-hub", "alice"))
    assert [f.sentence for f in found] == [f"{helper.myself()} cannot act as alice."]
    assert way is None


LISTING = """Matching Defaults entries for skiva-hub on head:
    env_reset, use_pty

User skiva-hub may run the following commands on head:
    (%skiva-users, slurm) NOPASSWD: /opt/a/skiva-act
    (%skiva-users : ALL) NOPASSWD: /opt/b/skiva-act, /opt/c/skiva-act x
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LISTING, []),
        (LISTING.replace("NOPASSWD: ", ""), ["error"]),
        (LISTING.replace("/opt/a/skiva-act", "ALL"), ["error"]),
        (LISTING + "    (root) NOPASSWD: /bin/cat\n", ["warning"]),
        ("User x is not allowed to run sudo on head.\n", ["error"]),
        ("", ["error"]),
    ],
)
def test_sudoers_must_allow_the_helper_and_nothing_else(text: str, expected: list[str]) -> None:
    """Without a password, for the helper alone; another hub's helper on the same machine is no matter."""
    found = list(helper.sudoers(text, "skiva-hub", Path("/opt/a/skiva-act")))
    assert [f.level for f in found] == expected
    assert all("skiva-hub ALL=(%skiva-users) NOPASSWD: /opt/a/skiva-act" in f.cure for f in found)


def test_an_account_that_is_not_there_is_an_error() -> None:
    """The hub's account is looked up before sudo is asked about it."""
    # A program of root's that nobody can change, in directories that everybody can enter.
    command = ["/usr/bin/sudo", "-n", "-u", "{user}", "--", "/usr/bin/true"]
    many = site(helper=command)
    found, way = asyncio.run(helper.examine(many, "nobody-of-that-name", None))
    if os.geteuid():
        pytest.skip("others are told that they cannot act as the hub")
    *_, finding = found
    assert way is None
    assert finding.level is Level.ERROR
    assert finding.sentence.startswith("There is no account nobody-of-that-name")


def test_who_the_probes_run_as_is_read_from_the_line_that_the_site_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the group is called: who called sudo if they are in it, else a member, never an operator."""
    me = pwd.getpwuid(os.getuid())
    monkeypatch.delenv("SUDO_USER", raising=False)
    group = f"%{grp.getgrgid(me.pw_gid).gr_name}"
    (first, second) = helper.sudo_grants(LISTING)[:2]
    assert (first.run_as, second.run_as) == (("%skiva-users", "slurm"), ("%skiva-users",))
    assert helper.somebody(["%no-such-group", group], ()) is not None
    assert helper.somebody(["no-such-account", me.pw_name], ()) == me.pw_name
    assert helper.somebody([me.pw_name], {me.pw_name}) is None
    monkeypatch.setenv("SUDO_USER", "nobody")
    assert helper.somebody([me.pw_name, "nobody"], ()) == "nobody"
    assert helper.somebody([me.pw_name], ()) == me.pw_name


@pytest.mark.skipif(os.geteuid() != 0, reason="the helper of several people belongs to root")
@pytest.mark.parametrize(
    ("hours", "operators", "says", "words", "cure"),
    [
        ({"extend_as": None}, [], "", "extend_as is missing in [hours]", "extend_by = 0"),
        ({"extend_as": "ghost"}, ["ghost"], "", "there is no account ghost", "useradd --system"),
        ({"extend_as": "daemon"}, ["root"], "", "does not list daemon", '"operators": ["daemon"]'),
        (
            {"extend_as": "daemon"},
            ["daemon"],
            "echo 'sudo: a password is required' >&2",
            "does not answer as daemon: sudo: a password is required",
            "ALL=(%skiva-users,daemon) NOPASSWD: ",
        ),
        (
            {"extend_as": "daemon"},
            ["daemon"],
            """echo '{"error": "not a request: TypeError"}'""",
            "The helper answers as daemon.",
            "",
        ),
    ],
)
def test_who_extends_sessions_is_looked_at(
    tree: Path, hours: dict[str, Any], operators: list[str], says: str, words: str, cure: str
) -> None:
    """The operator is an account, is known to the helper as one, and the sudoers line lets the hub be it."""
    tree.write_text(f"#!/bin/sh\n{says}\n")
    configured(tree, operators=operators)
    data = site(helper=[str(tree), "{user}"]).model_dump()
    data["hours"].update({"extend_by": 1.0, **hours})
    way = helper.Way("nobody", (str(tree), "{user}"), as_hub=True)
    (finding,) = asyncio.run(helper.extension(Site.model_validate(data), way, "skiva-hub"))
    assert words in finding.sentence, finding
    assert cure in finding.cure
    assert finding.level is (Level.ERROR if cure else Level.OK)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers by its path."""

    def do_GET(self) -> None:
        """A hub at /hub/api, a page at /page, nothing elsewhere."""
        body = {"/hub/api": b'{"version": "6.1.1"}', "/page": b"<html>"}.get(self.path)
        self.send_response(200 if body else 503)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@contextmanager
def server(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A web server on a free port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as made:
        if context:
            made.socket = context.wrap_socket(made.socket, server_side=True)
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made.server_port
        made.shutdown()
        thread.join()


def test_the_hub_is_told_from_all_that_is_not_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub, something else, an error page, nobody, a certificate that nobody trusts, a name that is none."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with server() as port:
        base = f"http://127.0.0.1:{port}"
        for path, level, words in [
            ("/hub/api", Level.OK, "The hub answers"),
            ("/page", Level.WARNING, "not as JupyterHub does"),
            ("/", Level.WARNING, "it answered 503"),
        ]:
            finding = asyncio.run(machine.hub(site(api_url=base + path)))
            assert (finding.level, words in finding.sentence) == (level, True), finding
    finding = asyncio.run(machine.hub(site(api_url=base + "/hub/api")))
    assert (finding.level, "nobody listens there" in finding.sentence) == (Level.WARNING, True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1",
         "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with server(context) as port:
        finding = asyncio.run(machine.hub(site(api_url=f"https://127.0.0.1:{port}/hub/api")))
        assert (finding.level, "certificate" in finding.sentence) == (Level.ERROR, True)


def test_a_hub_that_cannot_be_reached_is_an_error() -> None:
    """An address that leads nowhere is not the same as a hub that is off."""
    said = ask_hub("http://hub.invalid/hub/api", 5.0)
    finding = machine.hub_answer(Group.HUB, "n1", "http://hub.invalid/hub/api", said)
    assert (finding.level, "cannot be reached from n1" in finding.sentence) == (Level.ERROR, True)


def test_a_nodes_address_that_means_nothing_here_is_an_error() -> None:
    """Only nodes of the site's partitions count."""
    nodes = {
        "a": Node("a", "127.0.0.1", frozenset({"IDLE"}), partitions=("gpu",)),
        "b": Node("b", "b.invalid", frozenset({"IDLE"}), partitions=("gpu",)),
        "c": Node("c", "c.invalid", frozenset({"IDLE"}), partitions=("other",)),
        "d": Node("d", "x" * 70 + ".invalid", frozenset({"IDLE"}), partitions=("cpu",)),
    }
    finding, *_ = asyncio.run(machine.addresses(site(), Facts(nodes=nodes)))
    assert finding.level is Level.ERROR
    assert "the address of b (b.invalid), d (" in finding.sentence


@pytest.mark.parametrize(
    ("here", "scope", "words", "cure"),
    [
        (["n1"], 0, "The hub is on a node (n1)", "kernel.yama.ptrace_scope = 1"),
        (["n1"], None, "can take over the helper", "This kernel has no Yama"),
        (["n1"], 1, "", ""),
        ([], 0, "", ""),
    ],
)
def test_a_hub_on_a_node_wants_helpers_that_nobody_takes_over(
    here: list[str], scope: int | None, words: str, cure: str
) -> None:
    """Where people's jobs and the helper that acts as them share a kernel, attaching has to be forbidden."""
    found = machine.ptrace(here, scope)
    assert [(f.level, words in f.sentence, cure in f.cure) for f in found] == (
        [(Level.WARNING, True, True)] if words else []
    )


def test_a_node_that_is_this_machine_is_known_by_its_address() -> None:
    """Whatever the name, one of this machine's own addresses is this machine."""
    assert machine.nodes_here(
        {"a": ["127.0.0.1"], "b": ["192.0.2.7"], "c": [], "d": ["::1", "127.0.0.9"]}
    ) == ["a", "d"]
