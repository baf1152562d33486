"""What importing the package costs those who want only the client, or only the version."""

import subprocess
import sys

import pytest

import memcairn
import memcairn.client


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_neither_client_nor_server() -> None:
    modules = loaded_after("import memcairn; memcairn.__version__")

    assert not modules & {"httpx2", "pydantic", "asyncio", "memcairn.client", "memcairn.wire"}


def test_importing_the_client_loads_nothing_of_the_server() -> None:
    modules = loaded_after("from memcairn import MemcairnClient, AsyncMemcairnClient")

    assert "httpx2" in modules
    assert not modules & {"fastapi", "numpy", "sqlalchemy", "uvicorn", "typer", "wordllama", "memcairn.app"}
    ours = {name.split(".")[1] for name in modules if name.startswith("memcairn.")}
    assert ours == {"client", "wire"}


def test_the_package_names_what_it_offers() -> None:
    assert memcairn.MemcairnClient is memcairn.client.MemcairnClient
    assert {"MemcairnClient", "AsyncMemcairnClient", "NewEvent", "MemcairnError"} <= set(dir(memcairn))


def test_a_name_it_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        _ = memcairn.Nothing
