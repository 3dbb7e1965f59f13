"""Each adapter against its vendor's stand-in, over real HTTP: the contract, and the vendor's own traps.

What is quick and needs no stand-in is in `tests/adapters`, whose fixtures these tests share.
"""

from __future__ import annotations

from tests.adapters.conftest import door, make_door, running, sandbox, wired

__all__ = ["door", "make_door", "running", "sandbox", "wired"]
