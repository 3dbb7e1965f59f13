"""The firm and its people: users, roles, sign-ins, what each role may do, and the verbs that change them.

The invariants: there is always an active admin; whoever loses rights loses every session with them; secrets (tokens,
passwords, reset links) are kept as hashes only.

`firm` the one firm · `team` who is on it, passwords and links to set them · `entrance` getting in, and throttling ·
`sessions` signed-in browsers · `second_factor` codes · `passwords` which will do · `staff_links` who is who in an app.
"""

from portal.domain.people import entrance, passwords, second_factor, sessions, staff_links
from portal.domain.people.firm import (
    FIRM_FIELDS,
    FirmInShort,
    StaleSettings,
    change_firm,
    found_firm,
    the_firm,
)
from portal.domain.people.models import ALLOWED, Firm, May, ResetLink, Role, SignIn, SignInAttempt, User
from portal.domain.people.staff_links import StaffTaken, link_staff, unlink_staff
from portal.domain.people.team import (
    RESET_LIFE,
    DeadLink,
    EmailTaken,
    LastAdmin,
    WeakPassword,
    change_role,
    change_user,
    create_user,
    deactivate,
    everyone,
    has_users,
    make_reset_link,
    open_reset_link,
    password_problem,
    prefer,
    reactivate,
    set_password,
    use_reset_link,
    user_by_id,
)

__all__ = [
    "ALLOWED", "FIRM_FIELDS", "RESET_LIFE", "DeadLink", "EmailTaken", "Firm", "FirmInShort", "LastAdmin", "May",
    "ResetLink", "Role", "SignIn", "SignInAttempt", "StaffTaken", "StaleSettings", "User", "WeakPassword",
    "change_firm", "change_role", "change_user", "create_user", "deactivate", "entrance", "everyone", "found_firm",
    "has_users", "link_staff", "make_reset_link", "open_reset_link", "password_problem", "passwords", "prefer",
    "reactivate", "second_factor", "sessions", "set_password", "staff_links", "the_firm",
    "unlink_staff", "use_reset_link", "user_by_id",
]  # fmt: skip
