"""Stand-ins for the vendors: their wire formats over real HTTP, on this machine only.

Nothing in here imports the rest of the portal, and only the demo command and tests import this package.
"""
