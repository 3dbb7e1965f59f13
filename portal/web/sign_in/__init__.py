"""Signing in and out: email and password, the second step, single sign-on, and links to set a password.

Nobody is signed in on these pages, so they say nothing about who has an account here.
"""

from flask import Blueprint

screen = Blueprint("sign_in", __name__)

from portal.web.sign_in import new_password, password, single_sign_on  # noqa: E402  # they add their routes to it

__all__ = ["new_password", "password", "screen", "single_sign_on"]
