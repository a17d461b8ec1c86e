"""Volt: payments from bank to bank by open banking, told by signed notifications."""
