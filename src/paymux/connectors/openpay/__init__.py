"""Openpay, in Australia until February 2023 and in the United Kingdom until 2022."""
