"""Backups: everything the portal holds, in one file that either kind of database can be restored from.

A backup is a zip: one file of JSON lines for each table, all read in one snapshot while the portal goes on working, and
a manifest with the schema's revision, counts and checksums. The one rule to respect: what was closed stays closed.
Secrets travel as they stand in the database, and the keys that open them are never part of a backup.
"""

from portal.backup.contents import BackupProblem, Manifest, NotEmpty, Progress
from portal.backup.making import create
from portal.backup.restoring import read_manifest, restore, verify

__all__ = ["BackupProblem", "Manifest", "NotEmpty", "Progress", "create", "read_manifest", "restore", "verify"]
