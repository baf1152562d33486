"""Writes the page of settings from the settings themselves: `python tools/settings_doc.py [--check]`.

`--check` writes nothing and fails if the page is not what would be written.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memcairn.settings import PREFIX, Settings

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"

HEAD = f"""\
# Settings

<!-- Written by tools/settings_doc.py from the settings themselves: change those, and run it. -->

Every setting is an environment variable. An unknown one that starts with `{PREFIX}` is an error, so that a typo cannot
pass unseen. `memcairn doctor` prints what is in force; options of the command line win over the environment.

| Variable | Values | Default | Meaning |
|---|---|---|---|
"""

_TYPES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "path": "path",
    "password": "text, kept secret",
    "string": "text",
}


def page() -> str:
    """The whole page."""
    schema = Settings.model_json_schema(by_alias=False)
    return HEAD + "".join(_row(name, field) for name, field in schema["properties"].items())


def _row(name: str, field: Mapping[str, Any]) -> str:
    alias = Settings.model_fields[name].validation_alias
    variable = alias if isinstance(alias, str) else PREFIX + name.upper()
    default = field.get("default")
    shown = "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    return f"| `{variable}` | {_values(field)} | {shown} | {field['description'].replace('|', '&#124;')} |\n"


def _values(field: Mapping[str, Any]) -> str:
    given = next((kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"), field)
    if "enum" in given:
        return ", ".join(f"`{value}`" for value in given["enum"])
    values = _TYPES[given.get("format", given["type"])]
    least, most = given.get("minimum"), given.get("maximum")
    if least is not None and most is not None:
        return f"{values}, {least} to {most:g}" if isinstance(most, float) else f"{values}, {least} to {most}"
    if "exclusiveMinimum" in given and most is not None:
        return f"{values} above {given['exclusiveMinimum']}, at most {most}"
    return values


def main(check: bool) -> int:
    wanted = page()
    found = PAGE.read_text("utf-8") if PAGE.exists() else ""
    if found == wanted:
        return 0
    print(f"{'stale' if check else 'writing'}: {PAGE.name}")
    if not check:
        PAGE.write_text(wanted, "utf-8")
    return 1 if check else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
