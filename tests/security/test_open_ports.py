"""Test that no other machine reaches the processes of a distributed training."""

from __future__ import annotations

import ipaddress
import os
import signal
import stat
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from gradtui import open_run
from gradtui.experiment import from_dict
from gradtui.training.distributed import STORE_FOLDER_VARIABLE
from gradtui.training.launch import create_run, start_trainer
from tests.support.shared_training import DENSE
from tests.support.waiting import until

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="lists sockets by /proc"),
]

ENDLESS = {**DENSE, "run": {"steps": 10_000_000, "device": "cpu"}}


def open_addresses(processes: list[psutil.Process]) -> set[str]:
    """Return the addresses on which the processes accept connections or packets."""
    found = set()
    for process in processes:
        for connection in process.net_connections("inet"):
            if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE) and connection.laddr:
                found.add(connection.laddr.ip)
    return found


def test_ranks_listen_on_loopback_alone_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A user who trains on a cluster too has set another interface.
    other = next((name for name in psutil.net_if_addrs() if not name.startswith("lo")), "eth0")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", other)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = os.umask(0)
    try:
        folder = create_run(from_dict(ENDLESS), tmp_path / "runs")
        trainer = start_trainer(folder, 2)
    finally:
        os.umask(before)
    agent = psutil.Process(trainer.pid)
    try:
        seen: set[str] = set()
        while not open_run(folder).steps >= 10:
            assert trainer.poll() is None
            # Also while they meet.
            seen |= open_addresses([agent, *agent.children(recursive=True)])
            time.sleep(0.02)
        ranks = agent.children(recursive=True)
        assert len(ranks) == 2
        seen |= open_addresses([agent, *ranks])
        assert seen, "gloo has no socket, so this test looks at the wrong processes"
        assert all(ipaddress.ip_address(address).is_loopback for address in seen), seen
        store = Path(ranks[0].environ()[STORE_FOLDER_VARIABLE])
        assert store.parent == temporary
        assert stat.S_IMODE(store.stat().st_mode) == 0o700
    finally:
        os.kill(trainer.pid, signal.SIGKILL)
        trainer.wait()
    until(lambda: not any(rank.is_running() and rank.status() != "zombie" for rank in ranks))
    assert not list(temporary.glob("gradtui*"))
