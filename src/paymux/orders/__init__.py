"""The core: the only place where the state of an order changes."""
