"""Sezzle in the United States and Canada: four payments, two weeks apart."""
