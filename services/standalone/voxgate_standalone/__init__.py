"""Every service in one process, for one machine."""
