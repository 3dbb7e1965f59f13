"""The business in its own words: no Flask, no HTTP, no clock."""
