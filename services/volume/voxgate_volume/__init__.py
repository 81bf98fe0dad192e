"""The Volume and Segment services."""
