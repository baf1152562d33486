"""The page about security claims nothing that no test shows."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "security.md"
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE.read_text("utf-8"))))


def test_claims_name_their_tests() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    claims = [row for row in rows if not row.startswith(("| Claim", "| Attack", "| Asset")) and "held in" not in row]
    assets = 4

    assert len(claims) > 30
    assert len([row for row in claims if "`tests/" not in row]) == assets


@pytest.mark.parametrize(("file", "name"), NAMED, ids="::".join)
def test_a_named_test_is_there(file: str, name: str) -> None:
    source = (ROOT / file).read_text("utf-8")

    assert f"def {name}(" in source if name else "def test_" in source
