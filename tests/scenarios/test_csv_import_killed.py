"""A CSV import whose process is killed: whatever was committed stays, the rest is done once, nothing is doubled."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from jobs import csv_imports
from portal.db import db
from portal.domain import client_csv
from portal.domain.activity import Activity, Actor, Origin, Verb
from portal.domain.client_csv import CsvUpload, UploadState
from portal.domain.client_csv_columns import HEADINGS
from portal.domain.clients import Client, Contact

CHILD = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from portal.config import Settings
from app import create_app
app = create_app(Settings(data_dir=Path({data!r}), database_url={url!r}, scheduler=False, secret_keys=("k" * 20,),
    encryption_keys=({key!r},)), migrate=False)
with app.app_context():
    from jobs import csv_imports
    csv_imports.work(int(sys.argv[1]))
"""
CLIENTS = 60


def count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def wait_for_clients(wanted: int, child: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        done = count(Client)
        db.session.rollback()
        if done >= wanted:
            return
        time.sleep(0.005)


@pytest.mark.parametrize("wanted", [1, 23])
def test_an_import_killed_anywhere_doubles_and_loses_nothing(
    database, test_settings, tmp_path: Path, wanted: int
) -> None:
    """Fault rows 72 and 96, ALL-5: SIGKILL, then it goes on as the scheduler would have it go on."""
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADINGS)
    writer.writeheader()
    for number in range(CLIENTS):
        for person in ("Jo", "Kai"):
            email = f"{person}@c{number}.example"
            writer.writerow({"Client Name": f"Client {number}", "Contact Name": person, "Contact Email": email})
    by = Actor("Priya", Origin.CSV)
    upload = client_csv.read_file(out.getvalue().encode(), "clients.csv", by=by, now=datetime.now(UTC))
    client_csv.plan(upload, apps={})
    client_csv.begin(upload, by=by, now=datetime.now(UTC))
    upload_id = upload.id
    db.session.commit()

    script = CHILD.format(
        root=str(Path(__file__).parents[2]), data=str(tmp_path), url=test_settings.database_url,
        key=test_settings.encryption_keys[0],
    )  # fmt: skip
    child = subprocess.Popen([sys.executable, "-c", script, str(upload_id)])
    wait_for_clients(wanted, child)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(timeout=20) == -signal.SIGKILL
    assert wanted <= count(Client) < CLIENTS
    assert count(Contact) == 2 * count(Client)  # a client is there with both contacts or not at all
    db.session.rollback()

    db.session.execute(update(CsvUpload).values(lease_until=None))  # as if its two minutes were over
    db.session.commit()
    csv_imports.work(upload_id)
    assert (count(Client), count(Contact)) == (CLIENTS, 2 * CLIENTS)
    assert db.session.get_one(CsvUpload, upload_id).state == UploadState.DONE
    created = select(func.count()).select_from(Activity).where(Activity.verb == Verb.CLIENT_CREATED)
    assert db.session.scalar(created) == CLIENTS
    assert db.session.scalar(select(func.count(func.distinct(Client.name)))) == CLIENTS
