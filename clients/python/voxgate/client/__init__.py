"""The ergonomic layer: connections, arrays over any Volume, meshes, jobs."""
