"""The parts of the measurements that can be wrong without anybody noticing."""

import subprocess
import sys
import time
from pathlib import Path

from bench.proc import cpu_seconds, end, free_ports, start
from bench.report import Goal, Report, spread
from bench.slurm import parse_counts

_SDIAG = """\
*******************************************************
sdiag output at Sat Nov 21 21:38:44 2026 (1795297124)
*******************************************************
Server thread count:  3
Jobs submitted: 3

Main schedule statistics (microseconds):
\tLast cycle:   52

Remote Procedure Call statistics by message type
\tREQUEST_PARTITION_INFO                  ( 2009) count:111    ave_time:671    total_time:74553
\tREQUEST_JOB_INFO                        ( 2003) count:68     ave_time:797    total_time:54250
\tREQUEST_STATS_INFO                      ( 2035) count:4      ave_time:106    total_time:424

Remote Procedure Call statistics by user
\tskiva-hub       (     999) count:150    ave_time:917    total_time:170715
\troot            (       0) count:33     ave_time:439    total_time:22828

Pending RPC statistics
\tNo pending RPCs
"""


def test_requests_are_counted_without_those_of_the_measurement() -> None:
    """sdiag's own requests do not count, and one account's can be left out."""
    counts = parse_counts(_SDIAG)
    assert counts.by_type == {"REQUEST_PARTITION_INFO": 111, "REQUEST_JOB_INFO": 68}
    assert counts.total() == 179
    assert counts.total(without="skiva-hub") == 29
    assert counts.total(without="nobody") == 179


def test_processor_time_includes_children_that_run_and_that_have_ended() -> None:
    """A hub that lets other programs do its work is charged for it."""
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    program = (
        "import subprocess, sys, time\n"
        f"subprocess.run([sys.executable, '-c', {burn!r}])\n"
        f"child = subprocess.Popen([sys.executable, '-c', {burn + chr(10) + 'time.sleep(60)'!r}])\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], start_new_session=True) as process:
        try:
            deadline = time.monotonic() + 30
            while cpu_seconds(process.pid) < 0.5 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert cpu_seconds(process.pid) >= 0.5
        finally:
            subprocess.run(["/usr/bin/pkill", "-s", str(process.pid)], check=False)


def test_a_program_ends_with_the_measurement_that_started_it(tmp_path: Path) -> None:
    """What a measurement starts is gone when it says so, also if it ignores the first request."""
    stubborn = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    process = start([sys.executable, "-c", stubborn], tmp_path / "log", {}, tmp_path)
    while "up" not in (tmp_path / "log").read_text():
        assert process.poll() is None
    end(process, 0.2)
    assert process.returncode == -9


def test_a_report_says_which_goals_are_reached() -> None:
    """The text has the table and a verdict for each goal."""
    report = Report("x", "Method.", ("", "time"), rows=[("ours", spread([1.0, 3.0, 2.0]))])
    report.goals = [Goal("ratio", 0.4, 0.5), Goal("requests", 31, 30)]
    text = report.text()
    assert "ours  2.00 s (1.00 to 3.00)" in text
    assert "reached: ratio: 0.4, at most 0.5" in text
    assert "MISSED: requests: 31, at most 30" in text
    assert '"reached": false' in report.json()


def test_ports_that_are_taken_are_passed_over() -> None:
    """Two measurements find different ports, below those that the kernel gives out."""
    ports = free_ports(3)
    assert len(set(ports)) == 3
    assert max(ports) < 32_768
