"""Merchants, credentials, access tokens, channels and provider accounts."""
