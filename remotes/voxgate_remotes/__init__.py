"""Adapters for volume stores, their registry and their shipped conformance suite."""
