"""Run by Alembic inside `store.migrate`, on the connection it hands over."""

from alembic import context

from memcairn.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
