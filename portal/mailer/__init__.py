"""Sending the mail that was put down: each message once, and none again by itself that may have arrived.

The one invariant: a row is marked as sending and committed before a byte of its message goes to a server.
"""

from portal.mailer.letters import Letter, letter
from portal.mailer.sending import send_due, send_soon, start_due

__all__ = ["Letter", "letter", "send_due", "send_soon", "start_due"]
