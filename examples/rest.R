# Any volume in R: list, describe, cut out, look at segments, mesh. Needs R and jsonlite, and nothing of ours.
#
# Start a server with the sample volumes in a terminal: `voxgate serve`. Then: `Rscript examples/rest.R`. VOXGATE_URL is
# another one's gateway.
library(jsonlite)

at <- paste0(Sys.getenv("VOXGATE_URL", "http://localhost:8080"), "/api/v1")

# The bytes at an address. The R of `url()` stops for every status that is no success.
bytes_at <- function(address) {
  connection <- url(address, "rb")
  on.exit(close(connection))
  parts <- list()
  while (length(part <- readBin(connection, "raw", 2^20)) > 0) parts[[length(parts) + 1]] <- part
  do.call(c, parts)
}
json_at <- function(address) fromJSON(rawToChar(bytes_at(address)), simplifyVector = FALSE)

# What there is, and what one volume is.
for (entry in json_at(paste0(at, "/volumes?prefix=fib25"))$entries) cat(entry$kind, entry$name, "\n")
info <- json_at(paste0(at, "/volumes/fib25/em/-/info"))
cat(info$data_type, "voxels of", unlist(info$scales[[1]]$voxel_size_nm), "nm\n")

# A box of voxels. Raw bytes are x fastest, so they fill an R array of x, y, z as they are. Indices of R begin at 1:
# em[i, j, k] is the voxel x = 1100 + i - 1, y = 2080 + j - 1, z = 3010 + k - 1.
raw_em <- bytes_at(paste0(at, "/volumes/fib25/em/-/cutout?x=1100:1164&y=2080:2112&z=3010:3020&format=raw"))
stopifnot(length(raw_em) == 64 * 32 * 10) # anything less is no whole answer
em <- array(readBin(raw_em, "integer", length(raw_em), size = 1, signed = FALSE), dim = c(64, 32, 10))
cat("em[5, 7, 2] is", em[5, 7, 2], "and the mean", mean(em), "\n")

# Segment ids have 64 bits, and numbers of R keep 53: ask for them as text.
largest <- json_at(paste0(at, "/volumes/fib25/seg/-/segments?order=largest&page_size=1"))$segments[[1]]
cat("the largest segment is", largest$id, "with", largest$voxel_count, "voxels\n")

# Its mesh, for rgl, Rvcg or any other program; vertices are x, y, z in nanometres.
mesh <- bytes_at(paste0(at, "/volumes/fib25/seg/-/segments/", largest$id, "/mesh.ply?faces=20000"))
writeBin(mesh, "body.ply")
cat("body.ply has", length(mesh), "bytes\n")
