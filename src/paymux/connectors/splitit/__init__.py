"""Splitit: Web API v3 with the hosted form."""
