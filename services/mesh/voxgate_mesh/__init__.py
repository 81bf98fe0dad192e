"""The Mesh service."""
