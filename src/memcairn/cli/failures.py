"""What went wrong, as one sentence and an exit code: the only place where the command line translates errors.

Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 refused by the state of things (a newer database, an id that
is taken, a key that is missing).
"""

import errno
import sqlite3
from dataclasses import dataclass

from memcairn.domain.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, Unauthenticated

FAILED = 1
WRONG_USAGE = 2
REFUSED = 3

_WAYS_OUT = {
    errno.EACCES: "Change its permissions, or choose another place.",
    errno.EPERM: "Change its permissions, or choose another place.",
    errno.EROFS: "It lies on a read-only file system; choose another place.",
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "A part of the path is a file; choose another place.",
    errno.ENOSPC: "Free some space and repeat the command.",
    errno.EADDRNOTAVAIL: "Choose an address of this machine with --host.",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """`code` is stable and for programs, `message` for people: what happened, why, and what to do."""

    code: str
    message: str
    exit_code: int


def explain(error: BaseException) -> Failure:
    """The sentence for an error of ours, of the system or of a missing part; for any other, how to see more of it."""
    if isinstance(error, DomainError):
        return Failure(error.code, error.message, _exit_code(error))
    if isinstance(error, ModuleNotFoundError):
        return Failure(
            "not_installed",
            f"The Python module {error.name!r} is missing. Run: pip install 'memcairn[server]'",
            WRONG_USAGE,
        )
    if isinstance(error, OSError):
        return _system_failure(error)
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        return Failure(
            "database", f"The database could not be used: {cause}. `memcairn doctor` says which file it is.", FAILED
        )
    return Failure(
        "unexpected",
        f"This should not have happened ({type(error).__name__}). Run `memcairn --debug …` again to see where.",
        FAILED,
    )


def _exit_code(error: DomainError) -> int:
    if isinstance(error, Invalid):
        return WRONG_USAGE
    if isinstance(error, Conflict | NotFound | Forbidden | Unauthenticated):
        return REFUSED
    return FAILED


def _system_failure(error: OSError) -> Failure:
    where = "" if error.filename is None else f" ({error.filename})"
    what = error.strerror or str(error) or type(error).__name__
    way_out = _WAYS_OUT.get(error.errno or 0, "Run `memcairn --debug …` again to see where.")
    name = errno.errorcode.get(error.errno or 0, "os_error").lower()
    return Failure(name, f"The system refused: {what}{where}. {way_out}", FAILED)
