"""The Volume, Segment, Version and Metadata services."""
