"""Spotii, in the United Arab Emirates and Saudi Arabia until 2023."""
