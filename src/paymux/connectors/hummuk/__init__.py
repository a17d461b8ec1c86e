"""humm in the United Kingdom: the connector, its facts and its simulator."""
