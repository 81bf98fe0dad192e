"""HTTP for adapters of databases: calls that keep their connections, stop when asked to, and fail with typed errors."""
