"""docs/sandbox.md says what is there, and its lines work."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from portal.sandbox.faults import ACTIONS
from portal.sandbox.garbage import KINDS
from portal.sandbox.server import Running

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def test_every_switch_fault_and_kind_of_garbage_is_documented(sandbox: Running) -> None:
    names = [*sandbox.control.state(), *ACTIONS, *KINDS]
    assert [name for name in names if f"`{name}`" not in PAGE] == []


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_curl_lines_work_as_they_stand(sandbox: Running, number: int) -> None:
    script = "set -e\n" + BLOCKS[number].replace("http://127.0.0.1:5055", sandbox.url)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout
