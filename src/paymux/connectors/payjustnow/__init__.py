"""PayJustNow, in South Africa: the connector, its facts and its simulator."""
