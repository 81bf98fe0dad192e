"""The revisions, each named by the one before it."""
