"""Run by Alembic, within the connection and transaction that `voxgate_jobs.migrating` hands over."""

from alembic import context

from voxgate_jobs.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
