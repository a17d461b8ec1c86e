"""Zip in Australia and New Zealand: the merchant API with checkouts and charges."""
