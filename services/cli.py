"""The command line `huiying`. Errors are one line on standard error, exit status 0 only on success."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError, DBAPIError
from typer.exceptions import TyperException

from knowledge_base import KnowledgeBaseError
from services.commands import (
    backup,
    bench,
    cases,
    city,
    dialogue,
    kb,
    places,
    rights,
    secrets,
    sla,
    system,
    training,
    users,
)
from services.core.errors import BadRequest, HuiyingError, place_of
from services.core.settings import Settings
from services.core.wire import unstorable
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
app.command("train")(training.train)
app.command("doctor")(system.doctor)
app.command("rights")(rights.rights)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command (of `sys.argv` without `arguments`) and end the process."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        # An argument that is not UTF-8 comes with lone surrogates in it.
        reason = unstorable(given)
        if reason is not None:
            raise BadRequest(f"命令的参数{reason}")
        status = app(given, prog_name="huiying", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except TyperException as error:
        _misused(error)
    except HuiyingError as error:
        _fail(error.detail)
    except (KnowledgeBaseError, StartError, ConnectorMistake) as error:
        _fail(str(error))
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        _fail(f"{error.strerror}: {error.filename}")
    except OSError as error:
        _fail(error.strerror or type(error).__name__)
    except ArgumentError:
        _fail("数据库地址无法识别（DATABASE_URL 或命令的选项）")
    except ValidationError as error:
        if error.title != Settings.__name__:
            _unexpected(error)
        first = error.errors()[0]
        _fail(f"设置 {'.'.join(str(part) for part in first['loc']).upper()}: {first['msg']}")
    except DBAPIError as error:
        # Only what the driver says: statements may hold values.
        _fail(f"数据库出错（尚未建立时请先运行 huiying db upgrade）：{str(error.orig).splitlines()[0]}")
    except RecursionError:
        _fail("文件的内容嵌套过深")
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        _unexpected(error)


def _misused(error: TyperException) -> NoReturn:
    """A command that was not written as it should be: one line, but for the help of a group alone."""
    text = error.format_message()
    if not text.strip():
        # The help was printed in its place.
        sys.exit(error.exit_code)
    _fail(f"{text} (--help tells more)", error.exit_code)


def _unexpected(error: Exception) -> NoReturn:
    _fail(f"内部错误：{type(error).__name__}（{place_of(error)}）")


def _fail(line: str, status: int = 1) -> NoReturn:
    print(f"huiying: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
