"""Anything at all, put where a provider or a merchant may put it."""
