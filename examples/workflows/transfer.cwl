#!/usr/bin/env cwl-runner
# Copies a volume from store to store. Run it again with the same request and it answers the job that was done, or takes
# up the one that failed; give a new request an id of its own.
#
#   cwltool transfer.cwl --source fib25/seg --destination scratch/seg --request_id nightly-2026-11-22
cwlVersion: v1.2
class: CommandLineTool
label: Copy a volume with voxgate
baseCommand: [voxgate, transfer, --watch, --json]
requirements:
  NetworkAccess:
    networkAccess: true
inputs:
  source:
    type: string
    doc: The volume to read, remote/path or remote/path@version.
    inputBinding: {position: 1}
  destination:
    type: string
    doc: The volume to write, remote/path.
    inputBinding: {position: 2}
  request_id:
    type: string
    doc: Names this very request, a UUID or words of your own.
    inputBinding: {prefix: --request-id}
  mode:
    type: string?
    doc: What to do where the destination exists, fail-if-exists, overwrite or update.
    inputBinding: {prefix: --mode}
  server:
    type: string?
    doc: HOST:PORT; else the one of `voxgate login`, else localhost:50051.
    inputBinding: {prefix: --server}
outputs:
  job:
    type: stdout
    doc: The job as JSON, with the checksum of what was written.
stdout: job.json
# 4 says that the server or a store does not answer: worth another try. Everything else that is not 0 is for people.
temporaryFailCodes: [4]
