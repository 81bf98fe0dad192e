"""Records and engine of long-running work.

`store` keeps records, `engine` runs them block by block, `states` says which changes a record allows, `failures` turns
errors into records. What is done is in the `ledger`; `sqlstore` keeps both in SQLite or PostgreSQL.
"""
