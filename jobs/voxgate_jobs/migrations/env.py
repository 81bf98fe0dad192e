"""Run by Alembic, within the connection and transaction that `voxgate_jobs.migrating` hands over.

Alembic runs this file, nobody imports it: this folder is no package on purpose.
"""

from alembic import context

from voxgate_jobs.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
