"""The vocabulary: geometry, volumes, meshes, jobs, names and errors. Imports nothing of voxgate and no grpc."""
