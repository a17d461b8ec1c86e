"""New Pay."""
