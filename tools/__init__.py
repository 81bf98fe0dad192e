"""Development tools: run from the repository's root."""
