"""Records of an app nobody here is linked to: kept as last read, each with what matching last said of it.

Syncs keep the table true, Import and manual mapping read it. A verdict is advice for lists: whoever acts on a record
matches it anew.
"""

from portal.domain.unlinked.keeping import (
    ARCHIVED,
    LEFT_OUT,
    VERDICTS,
    Change,
    Held,
    Noted,
    adopt_findings,
    forget,
    held,
    note,
    records,
    refresh,
    verdict_of,
)
from portal.domain.unlinked.listing import (
    CAP,
    LINKED,
    Line,
    Page,
    Slim,
    Whom,
    every,
    get,
    names_of,
    page,
    search,
    some,
    verdicts,
    waiting,
    who_may_be_meant,
)

__all__ = [
    "ARCHIVED", "CAP", "LEFT_OUT", "LINKED", "VERDICTS", "Change", "Held", "Line", "Noted", "Page", "Slim", "Whom",
    "adopt_findings", "every", "forget", "get", "held", "names_of", "note", "page", "records", "refresh", "search",
    "some", "verdict_of", "verdicts", "waiting", "who_may_be_meant",
]  # fmt: skip
