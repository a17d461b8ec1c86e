"""Alipay and the wallets behind it, by the global payment gateway (Antom, Alipay+)."""
