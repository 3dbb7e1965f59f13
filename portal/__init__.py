"""Counterpart: a firm's clients, kept in step with the apps that also hold them."""
