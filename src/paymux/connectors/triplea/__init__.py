"""TripleA: the connector, its facts and its simulator."""
