"""`memcairn keys`."""

from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, escape, results, table

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")


@app.command("create")
def create(
    org: Annotated[str, typer.Option(help="The org the key opens.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, write or admin; repeat it for several. read and write if left out.", metavar="SCOPE"),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: after 12h, 30d or 8w, or an ISO date. Never if left out.")
    ] = None,
    trust: Annotated[
        str, typer.Option(help="What everything written with it will be worth: low, normal or high.")
    ] = "normal",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a key, which is shown this once."""
    from memcairn.cli.accounts import create_key  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    made = create_key(data_dir, org, name=name, scopes=scope or ["read", "write"], expires=expires, trust=trust)
    if as_json:
        emit(
            {
                "org_id": made.key.org_id,
                "key_id": made.key.key_id,
                "scopes": sorted(made.key.scopes),
                "expires_at": made.key.expires_at,
                "trust": made.key.trust.label,
                "api_key": made.raw_key,
            }
        )
        return
    until = "" if made.key.expires_at is None else f", until {made.key.expires_at:%Y-%m-%d %H:%M} UTC"
    out = results()
    out.print(
        f"Created the key [bold]{made.key.key_id}[/] of the org {escape(org)} "
        f"({', '.join(sorted(made.key.scopes))}{until})."
    )
    out.print(f"Key (shown this once): [bold]{made.raw_key}[/]")


@app.command("list")
def list_(
    org: Annotated[str | None, typer.Option(help="Only the keys of this org.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List keys, without their secrets."""
    from memcairn.cli.accounts import all_keys, state_of  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    found = all_keys(data_dir, org)
    if as_json:
        emit(
            {
                "keys": [
                    {
                        "org_id": key.org_id,
                        "key_id": key.key_id,
                        "name": key.name,
                        "prefix": key.prefix,
                        "scopes": sorted(key.scopes),
                        "trust": key.trust.label,
                        "state": state_of(key),
                        "created_at": key.created_at,
                        "expires_at": key.expires_at,
                        "last_used_at": key.last_used_at,
                        "revoked_at": key.revoked_at,
                    }
                    for key in found
                ]
            }
        )
    elif found:
        rows = [
            (
                key.org_id,
                key.key_id,
                key.name,
                ",".join(sorted(key.scopes)),
                key.trust.label,
                state_of(key),
                "never" if key.last_used_at is None else f"{key.last_used_at:%Y-%m-%d %H:%M}",
            )
            for key in found
        ]
        results().print(table(("ORG", "KEY", "NAME", "SCOPES", "TRUST", "STATE", "LAST USED"), rows))
    else:
        results().print("There are no keys yet. `memcairn keys create --org ID` makes one.")


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="The id `memcairn keys list` shows.", metavar="KEY_ID")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """End a key; the next request with it is refused, also on a running server."""
    from memcairn.cli.accounts import revoke_key  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    org_id = revoke_key(data_dir, key_id)
    if as_json:
        emit({"org_id": org_id, "key_id": key_id, "state": "revoked"})
    else:
        results().print(f"Revoked the key {escape(key_id)} of the org {escape(org_id)}.")
