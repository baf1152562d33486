"""What is installed is what is here: the wheel holds the source, byte for byte, and nothing that runs by itself."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.faults.scale import NIGHTLY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "memcairn"
DATABASE_OF_ADVISORIES_IS_AWAY = (
    "ConnectionError",
    "Failed to connect",
    "Max retries",
    "ServiceError",
    "NameResolution",
)


def test_the_wheel_holds_the_source_and_nothing_that_starts_by_itself(tmp_path: Path, record_property: Any) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")

    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
        links = [info.filename for info in archive.infolist() if (info.external_attr >> 16) & 0o170000 == 0o120000]

    here = {
        f"memcairn/{path.relative_to(SOURCE)}": path.read_bytes()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    beside = {name for name in packed if not name.startswith("memcairn/")}
    record_property("figure", f"files in the wheel: {len(packed)} | differing from the source: 0 | .pth: 0")
    assert {name: content for name, content in packed.items() if name not in beside} == here
    assert {name.split("/")[0].endswith(".dist-info") for name in beside} == {True}
    assert [name for name in packed if name.endswith((".pth", ".so", ".pyc"))] == []
    assert links == []


@pytest.mark.skipif(not NIGHTLY, reason="asks a database of advisories, which only the nightly run may need")
def test_no_installed_library_has_a_known_weakness(record_property: Any) -> None:
    if shutil.which("pip-audit") is None:
        pytest.skip("pip-audit is not installed here")
    ran = subprocess.run(["pip-audit", "--skip-editable"], capture_output=True, text=True, check=False, timeout=600)
    if any(sign in ran.stderr for sign in DATABASE_OF_ADVISORIES_IS_AWAY):
        pytest.skip(f"the database of advisories cannot be reached: {ran.stderr.splitlines()[-1][:200]}")

    record_property("figure", f"known weaknesses: {ran.stdout.count('CVE-') + ran.stdout.count('GHSA-')}")
    assert ran.returncode == 0, ran.stdout
