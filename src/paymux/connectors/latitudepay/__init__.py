"""LatitudePay and Genoapay: ten weekly payments in Australia and New Zealand, until both closed in April 2023."""
