"""Tamara: instalments in Saudi Arabia and the United Arab Emirates."""
