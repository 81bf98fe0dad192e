"""The Transfer and Job services."""
