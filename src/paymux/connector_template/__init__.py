"""A complete small connector of an invented provider, from which `paymux connectors new` makes yours."""
