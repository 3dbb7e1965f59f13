"""A proposal is accepted, by the client or on its behalf: all that comes of it, in one transaction (PR-04, XPM-12).

Frozen to the letter, services started, what is due at once invoiced, the client Active, its way into apps begun, jobs
deployed. Whoever is second finds it accepted; whoever saw something else is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, billing, clients, connections, deliveries, invoices, outgoing, people, schedule
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection, ConnectionState, OutgoingClient
from portal.domain.client_values import plain_words
from portal.domain.invoices.models import Invoice
