"""All segments of a volume as stored meshes with levels of detail: a job of numbered blocks, each bounded in memory."""
