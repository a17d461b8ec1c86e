"""`make torture`: merchants' traffic while everything dies, then an audit.

It knows paymux by HTTP, signals and the sandbox's ledger only.
"""
