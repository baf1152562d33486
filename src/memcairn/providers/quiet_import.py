"""Importing libraries that set up logging for the whole process as they are imported."""

import importlib
import logging
from types import ModuleType


def import_quietly(name: str) -> ModuleType:
    """Import `name` and undo what that did to the root logger: its handlers and level belong to the application."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    module = importlib.import_module(name)
    root.handlers[:] = handlers
    root.setLevel(level)
    return module
