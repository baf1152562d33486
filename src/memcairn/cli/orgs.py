"""`memcairn orgs`."""

from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, escape, results, table

app = typer.Typer(no_args_is_help=True, help="Create and list orgs, the tenants of a server.")


@app.command("create")
def create(
    org_id: Annotated[str, typer.Argument(help="The id of the new org.", metavar="ID")],
    name: Annotated[str | None, typer.Option(help="A name for people; the id if left out.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create an org with its first admin key, which is shown this once."""
    from memcairn.cli.accounts import create_org  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    made = create_org(data_dir, org_id, name=name)
    if as_json:
        emit({"org_id": made.key.org_id, "api_key": made.raw_key})
        return
    out = results()
    out.print(f"Created the org [bold]{escape(made.key.org_id)}[/].")
    out.print(f"Admin key (shown this once): [bold]{made.raw_key}[/]")


@app.command("list")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the orgs of the database."""
    from memcairn.cli.accounts import all_orgs  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    found = all_orgs(data_dir)
    if as_json:
        emit({"orgs": [{"org_id": org.org_id, "name": org.name, "created_at": org.created_at} for org in found]})
    elif found:
        rows = [(org.org_id, org.name, f"{org.created_at:%Y-%m-%d %H:%M}") for org in found]
        results().print(table(("ORG", "NAME", "CREATED"), rows))
    else:
        results().print("There are no orgs yet. `memcairn orgs create ID` makes one; `memcairn serve` makes `default`.")


@app.command("quotas")
def quotas(
    org_id: Annotated[str, typer.Argument(help="The org.", metavar="ID")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A quota such as api_calls=1000; repeat it for several.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Forget the quotas it had; the settings count again.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show or change the monthly quotas of one org, which win over those of the settings."""
    from memcairn.cli.accounts import org_quotas  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    found = org_quotas(data_dir, org_id, changes=set_ or (), clear=clear)
    if as_json:
        emit({"org_id": org_id, "quotas": found})
    elif found:
        results().print(table(("DIMENSION", "A MONTH"), [(name, str(limit)) for name, limit in sorted(found.items())]))
    else:
        results().print(f"The org {escape(org_id)} has no quotas of its own.")
