"""How quick it is, always beside a floor measured in the same run. Run through `make bench`; nothing here asserts a time."""
