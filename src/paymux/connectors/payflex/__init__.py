"""Payflex, in South Africa."""
