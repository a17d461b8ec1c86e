"""What every room stands on: database, jobs, outgoing HTTP, clock, settings. No business words in here."""
