"""An environment of its own for each released client, made once and kept outside the repository.

The clients cannot live together, nor beside the server: one wants an httpx older than the other does.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

INSTALL_SECONDS = 300


class NotInstallableError(Exception):
    """The package index could not be reached, or has not got the package; the message is pip's last word."""


def python_with(requirement: str) -> Path:
    """The interpreter of an environment that holds `requirement`; made now unless an earlier run has made it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "memcairn-tests"
    cache.mkdir(parents=True, exist_ok=True)
    identity = f"{requirement} python{sys.version_info.major}.{sys.version_info.minor}"
    home = cache / hashlib.sha256(identity.encode()).hexdigest()[:16]
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it at once
        complete = home / "complete"
        if not complete.exists():
            shutil.rmtree(home, ignore_errors=True)
            _make(home, requirement)
            complete.write_text(identity)
    return _python_in(home)


def _make(home: Path, requirement: str) -> None:
    venv.create(home)  # without a pip of its own, which would take longer to unpack than most clients
    pip = [sys.executable, "-m", "pip", "--python", str(_python_in(home)), "--quiet", "--disable-pip-version-check"]
    command = [*pip, "install", "--no-compile", requirement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode != 0:
        raise NotInstallableError((done.stderr.strip().splitlines() or ["pip failed without a word"])[-1])


def _python_in(home: Path) -> Path:
    return home / "bin" / "python"
