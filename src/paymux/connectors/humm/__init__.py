"""humm: instalments in Australia and New Zealand, opened by a form that the shopper's browser posts."""
