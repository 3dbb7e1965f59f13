"""What is to happen to each field of one client and its record: take theirs, send ours, or nothing. PURE.

Three values decide: what both sides last agreed on, what stands here, what stands there. A change on one side travels
to the other; a change on both is a conflict, of which the loser is kept (XPM-14; fault row 90). In which directions a
field may travel at all is the app's field table's and the connection's say; a person's word goes beyond that.
Values are as JSON keeps them: text, bool or None, an address as its five parts, a person as {"id", "name"}.
"""

from portal.domain.planning.contacts import pair_contacts
from portal.domain.planning.deciding import goes_out, plan
from portal.domain.planning.plans import (
    LEFT_OUT,
    Action,
    ContactHere,
    ContactLinkHere,
    ContactPairing,
    Plan,
    Policy,
    Row,
    Side,
    Times,
)
from portal.domain.planning.values import (
    ANSWERED,
    AT_LINK,
    CONTACT_VALUES,
    CONTACTS,
    PULL,
    TWO_WAY,
    agreed_of,
    contact_values,
    is_blank,
    same,
    values_of,
    with_answers,
)

__all__ = [
    "ANSWERED", "AT_LINK", "CONTACTS", "CONTACT_VALUES", "LEFT_OUT", "PULL", "TWO_WAY", "Action", "ContactHere",
    "ContactLinkHere", "ContactPairing", "Plan", "Policy", "Row", "Side", "Times", "agreed_of", "contact_values",
    "goes_out", "is_blank", "pair_contacts", "plan", "same", "values_of", "with_answers",
]  # fmt: skip
