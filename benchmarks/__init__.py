"""How quick it is, always beside a floor measured in the same run. `make bench` runs it; nothing asserts a time."""
