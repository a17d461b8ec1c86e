"""Paymob: intentions paid on its own page in Egypt, told by signed callbacks and found again by their order."""
