"""Tabby, checkout and payments API v2."""
