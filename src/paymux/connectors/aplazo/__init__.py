"""Aplazo, in Mexico: the connector, its facts and its simulator."""
