# Any volume in Julia: cut out, look at ids, draw, mesh. Needs Julia and its own libraries, and nothing of ours.
#
# Start a server with the sample volumes in a terminal: `voxgate serve`. Then: `julia examples/rest.jl`. VOXGATE_URL is
# another one's gateway.
using Downloads

const AT = get(ENV, "VOXGATE_URL", "http://localhost:8080") * "/api/v1"

# The bytes at an address. `Downloads` stops for every status that is no success, and for an answer cut short.
bytes_at(address) = take!(Downloads.download(address, IOBuffer()))

println(String(bytes_at("$AT/volumes?prefix=fib25")))

# A box of voxels. Raw bytes are x fastest, so they are a Julia array of x, y, z as they are. Indices of Julia begin at 1:
# em[i, j, k] is the voxel x = 1100 + i - 1, y = 2080 + j - 1, z = 3010 + k - 1.
box = "x=1100:1164&y=2080:2112&z=3010:3020"
em = reshape(bytes_at("$AT/volumes/fib25/em/-/cutout?$box&format=raw"), (64, 32, 10))
println("em[5, 7, 2] is $(Int(em[5, 7, 2])) and the mean $(sum(Int, em) / length(em))")

# The same box of the segmentation: ids of 64 bits, exactly.
ids = reshape(reinterpret(UInt64, bytes_at("$AT/volumes/fib25/seg/-/cutout?$box&format=raw")), (64, 32, 10))
println("$(length(unique(ids))) ids, the one at em[5, 7, 2] is $(ids[5, 7, 2])")

# A section as a picture, and a mesh as a file.
Downloads.download("$AT/volumes/fib25/em/-/slice?z=3050", "em.png")
Downloads.download("$AT/volumes/fib25/seg/-/segments/$(ids[5, 7, 2])/mesh.ply", "body.ply")
