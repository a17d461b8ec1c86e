"""Mastercard Gateway (MPGS): a bank's hosted payment page, opened by a payment link."""
