"""What everybody may know about the demo. Imports nothing heavy: the demo's start reads it before all else."""

from __future__ import annotations

PASSWORD = "counterpart-demo"  # printed on the screen of everybody who starts the demo
PROPOSAL_TOKEN = "demo-0f6c1e0c2b8f4d7aa1d9c35e7b1f2a64"  # opens the proposal that waits; no secret either
SEED = 7
SANDBOX_CLIENTS = 1200
MAIL_FROM = "billing@marlow.example"
# name, email, role
PEOPLE = (
    ("Priya Sharma", "admin@example.com", "admin"),
    ("Tom Whitaker", "member@example.com", "member"),
    ("Ana Tuilagi", "support@example.com", "support"),
)
