"""Nothing stays in our hand when an attempt breaks off: the outbox of changes and that of creations alike.

`hand_back` is that of the outbox concerned: it takes what `claim` gave, `until`, `why` and `attempts`, and commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from portal.db import db
from portal.sync.runs import GoingDown, LeaseLost, Stopped, clock

UNEXPECTED = "Counterpart met something unexpected; it tries again by itself."


@contextmanager
def handed_back(hand_back: Callable[..., None], held: object, wait: timedelta, **values: Any) -> Iterator[None]:
    """Hand this back, as it was when somebody stops us, else to be tried again after `wait`; and raise on."""
    try:
        yield
    except (Stopped, GoingDown, LeaseLost):
        db.session.rollback()
        hand_back(held)
        raise
    except Exception:  # raised on: whoever called logs it
        db.session.rollback()
        hand_back(held, until=clock() + wait, why=UNEXPECTED, **values)
        raise


@contextmanager
def all_handed_back(hand_back: Callable[..., None], in_hand: Callable[[], Iterable[object]]) -> Iterator[None]:
    """Hand back what is in hand at that moment, as it was, and raise on."""
    try:
        yield
    except BaseException:  # a Ctrl-C as well: a lease nobody holds would keep everybody else waiting
        db.session.rollback()
        for held in list(in_hand()):
            hand_back(held)
        raise


def fill_and_write(
    ids: Sequence[int], size: int, prepare: Callable[[Sequence[int]], None], ready: list[Any],
    write: Callable[[int], None],
) -> None:  # fmt: skip
    """Prepare these, `size` at a time, and write as soon as a batch is full. `write` takes what it writes off `ready`.

    Some of those prepared have nothing to be written, so a batch may take more than one round to fill.
    """
    for start in range(0, len(ids), size):
        prepare(ids[start : start + size])
        if len(ready) >= size:
            write(size)
    while ready:
        write(size)
