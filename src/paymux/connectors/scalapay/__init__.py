"""Scalapay: API v2, captured at once or with a delay."""
