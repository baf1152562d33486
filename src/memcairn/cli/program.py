"""The commands, put together; their work is imported when one of them runs, so that `--help` answers at once."""

import json
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated

import typer

from memcairn.cli import (
    backup,
    demo,
    doctor,
    evaluate,
    forget,
    keys,
    migrate,
    move,
    orgs,
    purge,
    reembed,
    reindex,
    serve,
    transfer,
    version,
    worker,
)
from memcairn.cli.failures import Failure, explain
from memcairn.domain.errors import DomainError

app = typer.Typer(
    name="memcairn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 refused.",
)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("demo")(demo.demo)
app.command("eval")(evaluate.evaluate)
app.add_typer(orgs.app, name="orgs")
app.add_typer(keys.app, name="keys")
app.command("forget")(forget.forget)
app.command("purge")(purge.purge)
app.command("export")(transfer.export)
app.command("import")(transfer.import_)
app.command("migrate-db")(move.migrate_db)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("migrate")(migrate.migrate)
app.command("reindex")(reindex.reindex)
app.command("reembed")(reembed.reembed)
app.command("doctor")(doctor.doctor)
app.command("version")(version.version)


@app.callback()
def _memcairn(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """A memory server for AI agents and chat applications: say it once, find it again."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Carry out one command line and exit; an error ends as one sentence on standard error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Not `app()`: that would put a hook of its own in place of ours for errors nobody expected.
    command = typer.main.get_command(app)
    if "--debug" in given:
        command.main(args=given, prog_name="memcairn")
        return
    as_json = "--json" in given
    if arguments is None:
        sys.excepthook = lambda kind, error, trace: _last_word(error, trace, as_json=as_json)
    try:
        command.main(args=given, prog_name="memcairn")
    except (DomainError, OSError, ModuleNotFoundError) as error:
        failure = explain(error)
        _tell(failure, as_json=as_json)
        sys.exit(failure.exit_code)


def _last_word(error: BaseException, trace: TracebackType | None, *, as_json: bool) -> None:
    """What the interpreter calls for an error nobody expected; it exits with 1 afterwards."""
    if not isinstance(error, KeyboardInterrupt):
        _tell(explain(error), as_json=as_json)


def _tell(failure: Failure, *, as_json: bool) -> None:
    if as_json:
        line = json.dumps({"error": {"code": failure.code, "message": failure.message}}, ensure_ascii=False)
    else:
        line = f"memcairn: {failure.message}"
    sys.stderr.write(line + "\n")
