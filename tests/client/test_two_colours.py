"""The two clients are one: same methods, same parameters, same words."""

import collections.abc
import inspect
import shutil
import subprocess
import sys
import typing
from pathlib import Path
from types import ModuleType

import httpx2
import pytest

from memcairn import AsyncMemcairnClient, MemcairnClient

ROOT = Path(__file__).parent.parent.parent
TOOL = ROOT / "tools" / "unasync.py"
NAMESPACES = (
    "sessions",
    "messages",
    "users",
    "events",
    "memories",
    "jobs",
    "collections",
    "actors",
    "orgs",
    "roles",
    "teams",
    "keys",
    "usage",
)


def classes() -> list[tuple[type, type]]:
    """Both classes of the client and of each of its namespaces."""
    nothing = httpx2.MockTransport(lambda request: httpx2.Response(204, request=request))
    waiting, direct = AsyncMemcairnClient(transport=nothing), MemcairnClient(transport=nothing)
    pairs = [(type(waiting), type(direct))]
    pairs += [(type(getattr(waiting, name)), type(getattr(direct, name))) for name in NAMESPACES]
    return pairs


def methods(owner: type) -> dict[str, typing.Any]:
    members = {name: getattr(owner, name) for name in vars(owner) if not name.startswith("_") or name == "__init__"}
    return {name: member for name, member in members.items() if callable(member)}


def parameters(method: typing.Any) -> list[tuple[str, object, object]]:
    found = inspect.signature(method).parameters.values()
    return [(one.name, one.kind, None if one.name == "sleep" else one.default) for one in found]


def annotations(method: typing.Any) -> dict[str, object]:
    hints = typing.get_type_hints(method)
    for different in ("transport", "sleep", "calls"):  # what sends a request and what waits have a colour by nature
        hints.pop(different, None)
    if typing.get_origin(hints.get("return")) in {collections.abc.AsyncIterator, collections.abc.Iterator}:
        hints["return"] = ("one after the other", *typing.get_args(hints["return"]))
    return hints


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    module = ModuleType("unasync")
    module.__file__ = str(TOOL)
    exec(compile(TOOL.read_text(), TOOL, "exec"), vars(module))
    return module


@pytest.mark.parametrize(("waiting", "direct"), classes(), ids=lambda kind: kind.__name__)
def test_both_have_the_same_methods_with_the_same_signatures(waiting: type, direct: type) -> None:
    ours, theirs = methods(waiting), methods(direct)

    assert ours.keys() == theirs.keys()
    for name in ours:
        assert parameters(ours[name]) == parameters(theirs[name]), name
        assert annotations(ours[name]) == annotations(theirs[name]), name
        assert inspect.getdoc(ours[name]) == inspect.getdoc(theirs[name]), name


@pytest.mark.parametrize(("waiting", "direct"), classes(), ids=lambda kind: kind.__name__)
def test_only_one_of_them_is_awaited(waiting: type, direct: type) -> None:
    assert not [name for name, method in methods(direct).items() if inspect.iscoroutinefunction(method)]
    immediate = {name for name, method in methods(waiting).items() if not inspect.iscoroutinefunction(method)}
    assert immediate <= {"__init__", "local", "list_all", "export"}


def test_every_namespace_of_a_client_is_compared() -> None:
    client = MemcairnClient(transport=httpx2.MockTransport(lambda request: httpx2.Response(204, request=request)))

    assert {name for name in vars(client) if not name.startswith("_")} == set(NAMESPACES)


@pytest.mark.parametrize(("waiting", "direct"), classes(), ids=lambda kind: kind.__name__)
def test_every_public_method_says_what_it_guarantees(waiting: type, direct: type) -> None:
    for owner in (waiting, direct):
        silent = [name for name, method in methods(owner).items() if name != "__init__" and not method.__doc__]
        assert silent == []
        assert owner.__doc__


def test_the_synchronous_client_is_the_one_the_tool_writes() -> None:
    done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_rule_that_matches_nothing_is_an_error(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text("async def call() -> None:\n    await other()\n")

    with pytest.raises(ValueError, match=r"match nothing any more.*asyncio"):
        tool.generate(tmp_path, tmp_path / "_sync")


def test_a_file_that_was_edited_or_has_no_source_is_stale(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "src" / "memcairn" / "client"
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (copy / "_sync" / "jobs.py").write_text("edited = True\n")
    (copy / "_sync" / "orphan.py").write_text("left = True\n")
    monkeypatch.setattr(tool, "CLIENT", copy)

    assert tool.main(check=True) == 1
    assert capsys.readouterr().out == "stale: _sync/jobs.py\nstale: _sync/orphan.py\n"
    assert tool.main(check=False) == 0
    assert tool.main(check=True) == 0
    assert not (copy / "_sync" / "orphan.py").exists()
