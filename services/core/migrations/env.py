"""Alembic's entry: migrates the connection that `services.schema.upgrade` hands over."""

from alembic import context

from services.core.database import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
