"""Records and engine of long-running work.

`store` keeps records, `engine` runs them block by block, `states` says which changes a record allows, `failures` turns
errors into records. The durable store and the distributed engine will satisfy the same two Protocols.
"""
