"""What the code says about itself: docstrings, and the strings below an enumeration's members."""

from __future__ import annotations

import ast
import enum
import inspect


def text(kind: type) -> str:
    """A class's docstring."""
    return inspect.cleandoc(kind.__doc__ or "")


def meanings(kind: type[enum.Enum]) -> dict[str, str]:
    """Each member's value -> the docstring below it."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - for the type checker
    found: dict[str, str] = {}
    name = ""
    for each in definition.body:
        match each:
            case ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                found[str(kind[name].value)] = " ".join(text.split())
    return found
