"""paymux: one API for every buy-now-pay-later and alternative payment method, self-hosted."""

__version__ = "0.1.0"
