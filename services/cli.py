"""The command line `huiying`. Errors are one line on standard error, exit status 0 only on success."""

import sys

import typer
from sqlalchemy.exc import DBAPIError

from knowledge_base import KnowledgeBaseError
from services.commands import bench, cases, city, dialogue, kb, places, secrets, sla, system, users
from services.core.errors import HuiyingError
from services.lookups.connectors import ConnectorMistake
from services.supervision.processes import StartError

app = typer.Typer(
    help="Huiying (回应): a self-hosted citizen-service chatbot backend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(kb.app, name="kb")
app.add_typer(dialogue.app, name="dialogue")
app.add_typer(cases.app, name="cases")
app.add_typer(sla.app, name="sla")
app.add_typer(city.app, name="city")
app.add_typer(bench.app, name="bench")
app.add_typer(places.app, name="places")
app.add_typer(secrets.app, name="secrets")
app.add_typer(users.app, name="user")
app.add_typer(system.database, name="db")
app.command("up")(system.up)
app.command("setup")(system.setup)
app.command("doctor")(system.doctor)


def main() -> None:
    try:
        app()
    except HuiyingError as error:
        _fail(error.detail)
    except (KnowledgeBaseError, StartError, ConnectorMistake) as error:
        _fail(str(error))
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        _fail(f"{error.strerror}: {error.filename}")
    except OSError as error:
        _fail(error.strerror or type(error).__name__)
    except DBAPIError as error:
        # Only what the driver says: statements may hold values.
        _fail(f"数据库出错（尚未建立时请先运行 huiying db upgrade）：{str(error.orig).splitlines()[0]}")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(line: str) -> None:
    print(f"huiying: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
