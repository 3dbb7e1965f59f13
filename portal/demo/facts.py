"""What everybody may know about the demo. Imports nothing heavy: the demo's start reads it before all else."""

from __future__ import annotations

PASSWORD = "counterpart-demo"  # printed on the screen of everybody who starts the demo
SEED = 7
SANDBOX_CLIENTS = 1200
# name, email, role
PEOPLE = (
    ("Priya Sharma", "admin@example.com", "admin"),
    ("Tom Whitaker", "member@example.com", "member"),
    ("Ana Tuilagi", "support@example.com", "support"),
)
