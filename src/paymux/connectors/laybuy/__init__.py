"""Laybuy, in New Zealand, Australia and the United Kingdom until June 2024."""
