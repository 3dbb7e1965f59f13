"""Clients in step with an app: claim, read, match, plan, check, apply, send, finish.

`request_run` puts a run on the list, `start` nudges the background, `work` does it. Stop it anywhere: whatever was
committed stays, and the next run goes on from there.
"""

from portal.sync.creating_there import create_due, create_there, create_there_soon
from portal.sync.import_chosen import prepare_import
from portal.sync.recovering import recover
from portal.sync.runs import ask_to_stop, release, request_run, start
from portal.sync.searching import search_records
from portal.sync.sending import send, send_due, send_soon
from portal.sync.working import work

__all__ = [
    "ask_to_stop",
    "create_due",
    "create_there",
    "create_there_soon",
    "prepare_import",
    "recover",
    "release",
    "request_run",
    "search_records",
    "send",
    "send_due",
    "send_soon",
    "start",
    "work",
]
