"""`memcairn forget` and keys of some trust, on a real database."""

from pathlib import Path

import pytest

from memcairn import MemcairnClient

from .terminal import Cli


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A database in which Ann has said something."""
    folder = tmp_path / "data"
    with MemcairnClient.local(folder) as client:
        client.messages.add("s1", [{"role": "user", "content": "The xylophone plays at noon."}])
    return folder


def test_it_says_what_would_go_and_what_went(cli: Cli, data_dir: Path) -> None:
    source = ("forget", "--org", "default", "--key", "local", "--data-dir", str(data_dir))

    trial = cli(*source, "--dry-run")
    receipt = cli(*source, "--json").json()
    again = cli(*source)

    assert trial.out.startswith("At most this rests on it: 1 events")
    assert receipt["events"] == 1
    assert again.out.startswith("Hidden from every read: 0 events")


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ((), (2, "no_source")),
        (("--channel", "post"), (2, "invalid_channel")),
        (("--max-trust", "absolute"), (2, "invalid_trust")),
        (("--key", "k", "--since", "lately"), (2, "invalid_date")),
        (("--key", "k", "--org", "nobody"), (3, "org_not_found")),
    ],
)
def test_what_cannot_be_read_is_refused(
    cli: Cli, data_dir: Path, options: tuple[str, ...], refusal: tuple[int, str]
) -> None:
    answer = cli("forget", "--org", "default", *options, "--data-dir", str(data_dir), "--json")

    assert (answer.exit_code, answer.error()["code"]) == refusal


def test_a_key_is_made_with_its_trust(cli: Cli, data_dir: Path) -> None:
    where = ("--org", "default", "--data-dir", str(data_dir), "--json")

    made = cli("keys", "create", "--trust", "high", *where).json()
    refused = cli("keys", "create", "--trust", "absolute", *where)
    [key] = cli("keys", "list", *where).json()["keys"]

    assert (made["trust"], key["trust"]) == ("high", "high")
    assert refused.error()["code"] == "invalid_trust"
