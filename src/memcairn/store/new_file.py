"""Files that appear whole or not at all, and never in place of another one."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from memcairn.domain.errors import Conflict, NotFound


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; its file takes the name `path`, synced, if the block ends well.

    Only the owner may read it. Conflict when `path` exists, at the beginning or by then; NotFound without its folder.
    """
    refuse_existing(path)
    if not path.parent.is_dir():
        raise NotFound(f"There is no folder {str(path.parent)!r}. Make it, or choose another.", code="folder_not_found")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        _sync(part)
        try:
            os.link(part, path)
        except FileExistsError:
            refuse_existing(path)
    finally:
        part.unlink(missing_ok=True)
    _sync(path.parent)


def refuse_existing(path: Path) -> None:
    """Conflict when there is anything at `path`, be it a link that leads nowhere."""
    if os.path.lexists(path):
        raise Conflict(f"{str(path)!r} exists already. Choose another name, or remove it first.", code="file_exists")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
