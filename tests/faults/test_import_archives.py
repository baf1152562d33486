"""Files to import that are no export: packed, hostile or endless ones are refused and change nothing."""

import gzip
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.faults.scale import times

pytestmark = pytest.mark.slow


def _zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../outside.txt", "x")
        archive.writestr("bomb", b"0" * 10_000_000)
    return out.getvalue()


FILES = {
    "a zip with a path outside and a bomb": _zipped(),
    "a packed bomb": gzip.compress(b"0" * 50_000_000),
    "one line without end": b'{"x": "' + b"a" * 50_000_000,
    "brackets": b"[" * 1_000_000,
    "an object that names a class": json.dumps(
        {"__reduce__": ["os.system", "true"], "py/object": "os.system"}
    ).encode(),
    "a pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    "nothing": b"",
}


TRIED = dict(list(FILES.items())[: times(3, len(FILES))])


@pytest.mark.parametrize("content", TRIED.values(), ids=TRIED.keys())
def test_what_is_no_export_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    command = [sys.executable, "-m", "memcairn", "import", str(path), "--data-dir", str(tmp_path / "data"), "--json"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ran.returncode not in (0, -9)
    assert "Traceback" not in ran.stderr
    assert json.loads(ran.stderr.splitlines()[-1])["error"]["code"] != "internal"
    assert {each.name for each in tmp_path.rglob("*") if each.is_file()} <= {"file", "memory.db"}
