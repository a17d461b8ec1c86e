"""Alma: payments in instalments or deferred, in euros."""
