"""Alembic's entry: runs the steps on the connection that it is handed."""

from alembic import context

from gitops_wf.adapters.sql_store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
