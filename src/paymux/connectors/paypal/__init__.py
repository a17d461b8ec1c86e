"""PayPal: orders v2 behind its checkout page, payments v2."""
