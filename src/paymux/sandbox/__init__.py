"""Every simulator, their ledger, faults and checkout page. Production code never imports it."""
