"""The HTTP edge: one module per resource of the Merchant API."""
