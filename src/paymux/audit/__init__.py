"""Who did what and when: the audit trail of every change, and the record of every call to a provider."""
