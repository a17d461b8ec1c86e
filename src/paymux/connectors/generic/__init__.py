"""paymux's own open HTTP contract: any provider with a small web service (docs/generic-contract.md)."""
