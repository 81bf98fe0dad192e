"""HTTP done exactly, once for every dialect: ranges, conditions, compression, headers, and patience with clients."""
