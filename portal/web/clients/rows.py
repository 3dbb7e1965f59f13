"""The rows of the list of clients, as markup.

They are put together here and not in the template, because fifty rows of a dozen places each, every one escaped by
itself and handed through four blocks, were half of what the page cost. Every text of a person passes `escape` here.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape

from markupsafe import Markup

from portal.domain.apps import ways_of
from portal.domain.client_list import STATUS_WORDS, SYNC_WORDS, Choices, Page, Row
from portal.web import formats

STATUS_TONES = {"lead": "info", "active": "ok", "inactive": "muted", "archived": "muted"}
SYNC_TONES = {
    "failed": "bad", "conflict": "warn", "near_match": "warn", "pending": "info", "in_step": "calm",
    "unlinked": "muted",
}  # fmt: skip
# An app's mark in colour, with words on hover, when something about the link is out of the ordinary.
MARK_TONES = {
    "pending": ("info", "on its way"), "conflict": ("warn", "conflict"), "failed": ("bad", "not synced"),
    "broken": ("bad", "link broken"),
}  # fmt: skip
FIRST_RIGHT_TO_LEFT = "\u0590"  # no character before it is written from right to left or changes the direction


def rows(page: Page, chosen: Choices, *, can_tick: bool) -> Markup:
    """The page's rows; with a box to tick for those who may do something to many clients."""
    names = dict(app_names(chosen))
    times = formats.ago_and_exact(row.changed_at for row in page.rows)
    known: dict[tuple[tuple[int, str], ...], tuple[tuple[str, str], ...]] = {}
    made = []
    for row, (changed, exactly) in zip(page.rows, times, strict=True):
        id = row.id
        tick = f"<input type=checkbox name=id value={id} aria-labelledby=c{id}>" if can_tick else ""
        marks = known.get(row.apps)
        if marks is None:
            marks = known[row.apps] = tuple((names[one], state) for one, state in row.apps if one in names)
        middle = _middle(row.status, chosen.people.get(row.manager_id or 0, ""), marks, row.sync)
        name = f"<a id=c{id} href=/clients/{id}{direction(row.name)}>{escape(row.name)}</a>{_groups(row)}"
        made.append(f'<tr><td>{tick}<td>{name}{middle}<td title="{exactly}">{changed}\n')
    return Markup("".join(made))  # noqa: S704  # every text in it is a date of ours or was escaped


def app_names(chosen: Choices) -> list[tuple[int, str]]:
    """Each connection by the app's short name, with its account where two would look alike (fault row 38)."""
    names = [ways_of(one.app).short_name for one in chosen.apps]
    return [
        (one.connection_id, name if names.count(name) == 1 else f"{name} ({one.account})")
        for one, name in zip(chosen.apps, names, strict=True)
    ]


def direction(name: str) -> str:
    """A name in another direction of writing is kept apart from what stands around it, as `bdi` would."""
    return "" if name.isascii() or max(name) < FIRST_RIGHT_TO_LEFT else " dir=auto"


def _groups(row: Row) -> str:
    return f" <small dir=auto>{escape(', '.join(row.groups))}</small>" if row.groups else ""


@lru_cache(maxsize=8192)
def _middle(status: str, manager: str, marks: tuple[tuple[str, str], ...], sync: str) -> str:
    """Status, manager, apps and sync state: most rows share them with many others."""
    apps = " ".join(_mark(name, state) for name, state in marks)
    return (
        f"<td><b class={STATUS_TONES[status]}>{STATUS_WORDS[status]}</b><td>{escape(manager)}<td>{apps}"
        f"<td class={SYNC_TONES[sync]}>{SYNC_WORDS[sync]}"
    )


def _mark(name: str, state: str) -> str:
    tone, words = MARK_TONES.get(state, ("", ""))
    return f'<i class={tone} title="{words}">{escape(name)}</i>' if tone else escape(name)
