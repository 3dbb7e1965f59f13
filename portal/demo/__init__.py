"""The portal with nothing but itself: a demo firm, stand-ins for the vendors, and one command that runs both.

The one rule to respect: the demo answers on this machine only, because everybody knows its password.
"""
