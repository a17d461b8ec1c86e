"""Klarna: hosted payment page, order management and customer tokens."""
