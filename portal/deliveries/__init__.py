"""Invoices and payments out to a ledger, exactly once.

Claim by lease → customer → look first where something is uncertain → mark as sending and commit → one call for many →
record. A kill at any line ends in exactly one record of the ledger, because whatever may have arrived is looked for
before it is sent again (architecture rule 6).
"""

from portal.deliveries.comparing import compare
from portal.deliveries.delivering import deliver, deliver_connection, deliver_due, deliver_soon, go_on, start_due
from portal.deliveries.taking_over import take_over

__all__ = ["compare", "deliver", "deliver_connection", "deliver_due", "deliver_soon", "go_on", "start_due", "take_over"]
