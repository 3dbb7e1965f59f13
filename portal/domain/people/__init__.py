"""The firm and its people: users, roles, sign-ins, what each role may do, and the verbs that change them.

The invariants: there is always an active admin; whoever loses rights loses every session with them; secrets (tokens,
passwords, reset links) are kept as hashes only.
"""

from portal.domain.people.firm import FIRM_FIELDS, StaleSettings, change_firm, found_firm, the_firm
from portal.domain.people.models import ALLOWED, Firm, May, ResetLink, Role, SignIn, SignInAttempt, User

__all__ = [
    "ALLOWED", "FIRM_FIELDS", "Firm", "May", "ResetLink", "Role", "SignIn", "SignInAttempt", "StaleSettings", "User",
    "change_firm", "found_firm", "the_firm",
]  # fmt: skip
