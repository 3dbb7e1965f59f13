"""The command, and what survives it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from portal.sandbox.client import Control
from portal.sandbox.server import running_sandbox
from portal.sandbox.vendor import discover
from tests.sandbox.practice import Practice

ROOT = Path(__file__).parents[2]


def start(data_dir: Path) -> tuple[subprocess.Popen[str], str, str]:
    """The process, its address and the line it printed."""
    command = [sys.executable, "-m", "portal.sandbox", "--port", "0", "--data-dir", str(data_dir), "--clients", "30"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    assert found, line
    return process, found.group(), line


def test_the_command_prints_its_address_and_stops_within_two_seconds(tmp_path: Path) -> None:
    process, url, line = start(tmp_path / "new" / "data")
    try:
        assert "new demo data" in line
        assert requests.get(f"{url}/control/healthz", timeout=5).json()["status"] == "ok"
        Control(url).create("Kept Ltd")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert time.monotonic() - began < 2
    finally:
        process.kill()
        process.communicate()
    process, url, line = start(tmp_path / "new" / "data")
    try:
        assert "new demo data" not in line
        assert len(Control(url).clients("kept")) == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.communicate()


def test_tokens_data_switches_limits_and_clock_survive_a_restart(tmp_path: Path) -> None:
    with running_sandbox(clients=10, data_dir=tmp_path) as first:
        token = first.control.tokens()
        tenant = next(t["id"] for t in first.control.tenants() if t["name"] == "Marlow & Co")
        practice = Practice(first, tenant, token)
        uuid = str(practice.first().findtext("UUID"))
        practice.xml("PUT", "client.api/update", f"<Client><UUID>{uuid}</UUID><Phone>09 kept</Phone></Client>")
        first.control.state(update_clears_omitted=True)
        first.control.limits(minute=7)
        first.control.clock(advance_seconds=100)
        first.control.fault("drop")
    with running_sandbox(clients=999, data_dir=tmp_path) as second:
        again = Practice(second, tenant, token)
        assert len(again.clients()) == 10
        assert again.xml("GET", f"client.api/get/{uuid}").findtext("Client/Phone") == "09 kept"
        assert second.control.state()["update_clears_omitted"] is True
        assert again.ask("GET", "jobstate.api/list").headers["X-MinLimit-Remaining"] == "4"
        assert second.control.ask("GET", "clock")["offset_seconds"] == 100
        assert second.control.ask("GET", "faults")["rules"] == []


def test_a_long_list_is_one_moment_even_while_clients_change(practice: Practice) -> None:
    practice.sandbox.control.load(1500)
    answer = practice.ask("GET", "client.api/list?detailed=true", stream=True)
    blocks = answer.iter_content(4096)
    body = next(blocks)
    for client in practice.sandbox.control.clients(limit=1500)[-3:]:
        practice.sandbox.control.rename(client["uuid"], "Renamed While Reading")
    body += b"".join(blocks)
    assert body.count(b"<Client><UUID>") == 1500
    assert b"Renamed While Reading" not in body


def test_vendors_are_found_by_their_files() -> None:
    assert [vendor.key for vendor in discover() if vendor.key.startswith("x")] == ["xero", "xero-identity", "xpm"]


def test_no_two_vendors_claim_a_path() -> None:
    prefixes = [prefix for vendor in discover() for prefix in vendor.prefixes]
    assert len(prefixes) == len(set(prefixes))
