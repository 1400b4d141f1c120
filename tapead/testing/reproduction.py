"""A failing check as lines to paste: the functions with what they need, the point, the call."""

from __future__ import annotations

import ast
import inspect
import math
import re
import sys
import textwrap
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..checks.report import GradcheckError

__all__ = ["reproduce"]

#: Arrays that a function takes from around it are written down up to this many elements.
_FEW = 200
_IMPORTS = ("import numpy as np", "import tapead as ta")


class _CannotSayError(Exception):
    """Something that has no text: what it is."""


def reproduce(f: Callable[..., Any], inputs: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[str, bool]:
    """Lines that check `f` at `inputs` again, and whether they were seen to raise the same error."""
    script = _Script()
    arguments = []
    missing = []
    for key, value in (("", f), *options.items()):
        try:
            text = script.expression(value, key or "f")
        except _CannotSayError as error:
            text = _name(value, key or "f")
            missing.append(f"# {text} is to be defined here: {error}")
        arguments.append(f"{key}={text}" if key else text)
    try:
        point = script.expression(inputs, "x")
    except _CannotSayError as error:
        point = "x"
        missing.append(f"# x, the tuple of inputs, is to be defined here: {error}")
    arguments.insert(1, point)
    definitions = [*script.lines(), *missing]
    call = f"ta.gradcheck({', '.join(arguments)})"
    if missing:
        return "\n".join([*definitions, call]), False
    # What SymPy says is not needed to see that it fails.
    quick = call if "symbolic" in options else f"{call[:-1]}, symbolic=False)"
    if not _raises("\n".join([*definitions, quick])):
        return "\n".join([*definitions, "# run on their own, these lines did not fail again", call]), False
    return "\n".join([*definitions, call]), True


def _raises(text: str) -> bool:
    """Whether the lines run and end in a failed check."""
    try:
        with np.errstate(all="ignore"):
            exec(compile(text, "<reproduction>", "exec"), {"__name__": "reproduction"})
    except GradcheckError:
        return True
    except Exception:  # whatever was not copied along: then the lines are not complete
        return False
    return False


class _Script:
    """Definitions in the order in which they are needed."""

    def __init__(self) -> None:
        self._imports = list(_IMPORTS)
        self._definitions: list[str] = []
        self._known: dict[str, Any] = {}

    def lines(self) -> list[str]:
        return [*self._imports, *self._definitions]

    def expression(self, value: Any, name: str) -> str:
        """Text whose value is `value`; functions are defined under their own name, or `name`."""
        if isinstance(value, types.ModuleType):
            raise _CannotSayError(f"the module {value.__name__}")
        if value is None or isinstance(value, (bool, int, str, np.bool_, np.integer)):
            return repr(value.item() if isinstance(value, np.generic) else value)
        if isinstance(value, (float, complex, np.floating, np.complexfloating)):
            return _number(value)
        if isinstance(value, np.ndarray):
            return _array(value)
        if isinstance(value, (tuple, list)):
            parts = ", ".join(self.expression(part, name) for part in value)
            one = "," if isinstance(value, tuple) and len(value) == 1 else ""
            return f"({parts}{one})" if isinstance(value, tuple) else f"[{parts}]"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {self.expression(part, name)}" for key, part in value.items()) + "}"
        if callable(value):
            return self._function(value, name)
        raise _CannotSayError(f"a {type(value).__name__}")

    def _function(self, function: Any, name: str) -> str:
        for module, prefix in ((np, "np"), (np.linalg, "np.linalg")):
            found = getattr(function, "__name__", "")
            if getattr(module, found, None) is function:
                return f"{prefix}.{found}"
        module_name, path = getattr(function, "__module__", None), getattr(function, "__qualname__", "<locals>")
        if module_name not in (None, "__main__", "builtins") and "<" not in path:
            imported: Any = sys.modules.get(module_name)
            for part in path.split("."):
                imported = getattr(imported, part, None)
            if imported is function:
                first = path.split(".")[0]
                self._claim(first, getattr(sys.modules[module_name], first), None)
                self._import(f"from {module_name} import {first}")
                return str(path)
        return self._source(function, _name(function, name))

    def _source(self, function: Any, name: str) -> str:
        """A function from its source text, with everything it takes from around it."""
        if not isinstance(function, types.FunctionType):
            raise _CannotSayError(f"a {type(function).__name__}")
        if name in self._known and self._known[name] is function:
            return name
        text = _text_of(function, name)
        around = inspect.getclosurevars(function)
        self._claim(name, function, None)
        for inner, value in {**around.globals, **around.nonlocals}.items():
            if value is function:
                continue
            if isinstance(value, types.ModuleType):
                dotted = value.__name__
                self._claim(inner, value, None)
                self._import(f"import {dotted}" if dotted == inner else f"import {dotted} as {inner}")
                continue
            try:
                expression = self.expression(value, inner)
            except _CannotSayError as error:
                raise _CannotSayError(f"{_place(function)} uses {inner}, {error}") from None
            if expression != inner:
                self._claim(inner, value, f"{inner} = {expression}")
        self._definitions.append(text)
        return name

    def _claim(self, name: str, value: Any, line: str | None) -> None:
        """Let `name` stand for `value` from here on."""
        if name in self._known:
            if self._known[name] is not value:
                raise _CannotSayError(f"two different things are called {name}")
            return
        self._known[name] = value
        if line is not None:
            self._definitions.append(line)

    def _import(self, line: str) -> None:
        if line not in self._imports:
            self._imports.append(line)


def _name(function: Any, otherwise: str) -> str:
    name = str(getattr(function, "__name__", otherwise))
    return name if name.isidentifier() else otherwise


def _place(function: Any) -> str:
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", type(function).__name__)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code is not None else str(name)


def _text_of(function: types.FunctionType, name: str) -> str:
    """The source of a function as a definition of `name`."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise _CannotSayError(f"{_place(function)}, whose source is not to be had") from None
    if function.__name__ != "<lambda>":
        try:
            node = ast.parse(source).body[0]
        except SyntaxError:
            raise _CannotSayError(_place(function)) from None
        assert isinstance(node, ast.FunctionDef)
        node.decorator_list = []
        # From the line of "def" on, as it was written: what decorates the function is not what is checked.
        return "\n".join(source.splitlines()[node.lineno - 1:])
    return f"{name} = {_lambda(source, function)}"


def _lambda(source: str, function: types.FunctionType) -> str:
    """The lambda expression among some lines (which need not be whole statements) that compiles to this function."""
    for start in [place.start() for place in re.finditer(r"\blambda\b", source)]:
        text = _longest_lambda(source[start:])
        if text is not None and _described(eval(compile(text, "<lambda>", "eval"), {}).__code__) == _described(
                function.__code__):
            return " ".join(text[1:-1].split())
    raise _CannotSayError(_place(function))


def _longest_lambda(text: str) -> str | None:
    """The longest lambda expression, in brackets, that the text begins with."""
    for end in range(len(text), 0, -1):
        try:
            body = ast.parse(f"({text[:end]})", mode="eval").body
        except (SyntaxError, ValueError):
            continue
        if isinstance(body, ast.Lambda) and not body.args.defaults and not body.args.kw_defaults:
            return f"({text[:end]})"
    return None


def _described(code: types.CodeType) -> Any:
    """What two compilations of the same expression have in common, whether or not names around it are variables."""
    constants = [_described(constant) if isinstance(constant, types.CodeType) else repr(constant)
                 for constant in code.co_consts if not isinstance(constant, str) or "<locals>" not in constant]
    return code.co_varnames, set(code.co_names + code.co_freevars), constants


def _number(value: Any) -> str:
    if isinstance(value, (complex, np.complexfloating)):
        text = repr(complex(value))
    else:
        text = repr(float(value)) if math.isfinite(value) else f"float({str(float(value))!r})"
    # NumPy's numbers of double precision are Python's.
    return text if isinstance(value, (float, complex)) else f"np.{type(value).__name__}({text})"


def _array(value: Any) -> str:
    if value.dtype.kind not in "fciub" or value.size > _FEW:
        raise _CannotSayError(f"an array of shape {value.shape} and dtype {value.dtype}")
    if value.size == 0:
        return f"np.zeros({value.shape}, np.{value.dtype})"
    if value.dtype.kind == "f" and not np.all(np.isfinite(value)):
        raise _CannotSayError("an array with NaN or infinity")
    text = f"np.array({value.tolist()!r}" + ("" if value.dtype in (float, int, bool, complex)
                                             else f", np.{value.dtype}")
    return text + ")"
