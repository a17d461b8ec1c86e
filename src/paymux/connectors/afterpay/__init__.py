"""Afterpay and Clearpay, global API v2."""
