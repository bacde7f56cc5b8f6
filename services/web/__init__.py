"""Server-rendered pages (chat, login, staff console, manager, editor) and their static files."""
