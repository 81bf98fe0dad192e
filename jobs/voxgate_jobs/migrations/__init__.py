"""The changes of the job database's schema, one module each, in Alembic's form."""
