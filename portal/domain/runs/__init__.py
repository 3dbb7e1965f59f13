"""What runs did and what previews would do: the questions screens ask, and the ticks a person sets."""

from portal.domain.runs.listing import (
    ItemPage,
    application,
    every_item,
    get,
    held,
    item,
    item_page,
    items,
    items_before,
    latest,
    latest_ended,
    latest_open,
    leave,
    names_here,
    overtaken_by,
    recent,
    some_items,
)
from portal.domain.runs.ticks import (
    TICKABLE,
    choose,
    include_all,
    is_tickable,
    set_field_included,
    set_included,
    tickable_fields,
    ticked,
)
from portal.domain.runs.words import (
    DID,
    IN_ORDER,
    LONG,
    NEEDS_A_PERSON,
    PHASES,
    STATE_WORDS,
    WOULD_DO,
    Progress,
    counted,
    looked_at,
    phrase,
    progress,
    summary,
    told,
    took,
)

__all__ = [
    "DID", "IN_ORDER", "LONG", "NEEDS_A_PERSON", "PHASES", "STATE_WORDS", "TICKABLE", "WOULD_DO", "ItemPage",
    "Progress", "application", "choose", "counted", "every_item", "get", "held", "include_all", "is_tickable", "item",
    "item_page", "items", "items_before", "latest", "latest_ended", "latest_open", "leave", "looked_at", "names_here",
    "overtaken_by", "phrase", "progress", "recent", "set_field_included", "set_included", "some_items", "summary",
    "tickable_fields", "ticked", "told", "took",
]  # fmt: skip
