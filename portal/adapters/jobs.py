"""What the adapter of a practice app offers besides its clients: jobs set up from templates, each of them once.

Deployed jobs are not managed from here (XP-18): nothing is changed but who works on a job that is not finished yet.
"""

from __future__ import annotations

from typing import Protocol

from portal.adapters.base import ClientAdapter, Session
from portal.domain.records import JobCategory, JobOut, JobRecord, JobTemplate


class Jobs(ClientAdapter, Protocol):
    """An app that holds jobs. Every method may raise the errors of `base` and nothing else."""

    def fetch_job_choices(self, session: Session) -> tuple[tuple[JobTemplate, ...], tuple[JobCategory, ...]]:
        """What a job can be made of. A list we may not read is empty and named in `session.not_granted`."""

    def create_job(self, session: Session, job: JobOut) -> JobRecord:
        """Make the job with the tasks of its template, and say who works on it.

        Raises `Rejected` when nothing was made, `Unknown` when the answer was lost: then `find_jobs` by mark comes
        before another try. A job that was made without its people is no error: it comes back `unfinished`.
        """

    def find_jobs(
        self, session: Session, client_remote_id: str, *, mark: str = "", order_number: str = ""
    ) -> list[JobRecord]:
        """Jobs of this client, in any state: those that carry our mark, or, without one, those of an order number.

        With neither, all of them. Fresh: asked before a job is made again. Raises `NotThere` for a client it does not
        know.
        """

    def finish_job(self, session: Session, found: JobRecord, job: JobOut) -> JobRecord:
        """Give a job that is there the people it lacks; does nothing when it has them all. Safe to repeat."""
