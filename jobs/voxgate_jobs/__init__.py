"""Records and engine of long-running work."""
