r"""What a notebook shows of a tensor: the formula that it was computed by, and its tape.

The formula is one of whole arrays: :math:`\operatorname{mean}((2 x + 3)^2)`. It costs little whatever the sizes: long
formulas have their inner parts replaced by the names that these have on the tape.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy

from ..graph import cone
from ..tape import Entry, Leaf, wengert_list
from ..tensor import Tensor
from .algebras import Exact, counterpart, has_counterpart
from .timebox import within

__all__ = ["html_of", "latex_of"]

#: Seconds that a display may take.
PATIENCE = 1.0
#: Operations in a formula; its parts are left out of it beyond.
LONGEST = 60
#: Lines of the tape that are shown, from its beginning and its end; entries beyond which the tape is not searched.
LINES, ENTRIES = 12, 2000


def latex_of(tensor: Tensor) -> str | None:
    """The formula of a tensor in LaTeX; None where there is none or it takes too long."""
    return within(PATIENCE, lambda: _latex(tensor))


def html_of(tensor: Tensor) -> str | None:
    """The formula of a tensor and the end of its tape as HTML; None where it has no history."""
    if tensor._entry is None:
        return None
    return within(PATIENCE, lambda: _html(tensor))


def _latex(tensor: Tensor) -> str | None:
    if tensor.grad_fn is None or tensor.grad_fn.inputs is None:
        return None
    order = _order(tensor)
    return None if order is None else f"${sympy.latex(_formula(order))}$"


def _order(tensor: Tensor) -> list[Entry] | None:
    """The tape of a tensor; None where it is too long to be walked."""
    assert tensor._entry is not None
    seen = {tensor._entry}
    pending = [tensor._entry]
    for entry in pending:
        new = {parent for parent in entry.parents if parent is not None} - seen
        seen |= new
        pending += new
        if len(seen) > ENTRIES:
            return None
    return cone([tensor._entry], set())


# ---------------------------------------------------------------------- the formula


def _formula(order: Sequence[Entry]) -> Any:
    """The last entry as an expression in the leaves, which are called v0, v1, ... as on the tape.

    As many of the last entries are written out as keep the expression short; the others are called by their names too.
    """
    first = len(order) - 1
    while first > 0 and _size(order[first - 1:]) <= LONGEST:
        first -= 1
    shown: dict[Entry, Any] = {}
    for place, entry in enumerate(order):
        if place < first or isinstance(entry, Leaf) or entry.inputs is None:  # freed by a sweep
            shown[entry] = sympy.Symbol(f"v_{place}", real=_kind(entry) != "c" or None)
        else:
            shown[entry] = _applied(entry, [_constant(value) if parent is None else shown[parent]
                                            for value, parent in zip(entry.inputs, entry.parents, strict=True)])
    return shown[order[-1]]


def _kind(entry: Entry) -> str:
    return str(getattr(getattr(entry.output, "dtype", None), "kind", "f"))


def _size(entries: Sequence[Entry]) -> int:
    """How long the expression of the last entry is, where these are written out."""
    sizes: dict[Entry, int] = {}
    for entry in entries:
        sizes[entry] = 1 + sum(sizes.get(parent, 1) for parent in entry.parents if parent is not None)
    return sizes[entries[-1]]


def _applied(entry: Entry, operands: Sequence[Any]) -> Any:
    """A primitive as an expression: its counterpart if it is elementwise, else its name with its arguments."""
    primitive = entry.primitive
    if has_counterpart(primitive, entry.attrs) and not callable(primitive.sympy):
        formula = counterpart(primitive, entry.attrs)
        return formula.xreplace(dict(zip(sympy.symbols("x y z"), operands, strict=False)))
    if primitive.name == "matmul":
        return sympy.Function(r"\operatorname{matmul}")(*operands)
    keywords = [sympy.Symbol(rf"\mathrm{{{_escaped(name)}={_escaped(str(value))}}}")
                for name, value in entry.attrs.items() if value not in (None, False, True) and len(str(value)) < 20]
    return sympy.Function(rf"\operatorname{{{_escaped(primitive.name)}}}")(*operands, *keywords)


def _escaped(text: str) -> str:
    return "".join(rf"\{sign}" if sign in "_&%#${}" else sign for sign in text if sign not in "\\^~")


def _constant(value: Any) -> Any:
    """A number, or for an array where it came from: nothing but its shape."""
    if np.ndim(value) == 0 and np.isfinite(value):
        return Exact().number(value)
    lengths = "×".join(map(str, np.shape(value)))
    return sympy.Symbol(rf"\mathrm{{array}}_{{{lengths}}}" if lengths else str(value))


# ---------------------------------------------------------------------- the tape


def _html(tensor: Tensor) -> str:
    order = _order(tensor)
    value = html.escape(repr(tensor)) if tensor.size <= 1000 else html.escape(
        f"tensor of shape {tensor.shape}, dtype {tensor.dtype}")
    parts = [f"<div><code>{value}</code>"]
    if order is None:
        return "".join([*parts, f"<p>The tape has more than {ENTRIES:,} operations.</p></div>"])
    if tensor.grad_fn is not None and tensor.grad_fn.inputs is not None:
        try:
            parts.append(f"<p>$\\displaystyle {html.escape(sympy.latex(_formula(order)))}$</p>")
        except Exception:  # a formula is a courtesy: the tape is shown without it
            parts.append("<p>no formula</p>")
    return "".join([*parts, _table(order), "</div>"])


def _table(order: list[Entry]) -> str:
    """The tape, or its beginning and its end."""
    rows = []
    for place, (entry, line) in enumerate(zip(order, wengert_list(order).splitlines(), strict=True)):
        if LINES <= place < len(order) - LINES:
            if place == LINES:
                rows.append(f'<tr><td colspan="3">… {len(order) - 2 * LINES:,} more …</td></tr>')
            continue
        shape = getattr(entry.output, "shape", ())
        text = line.removesuffix(entry.where).rstrip().removesuffix("x".join(map(str, shape)))
        cells = " ".join(text.split()), _value(entry.output), entry.where
        rows.append("<tr>" + "".join(f"{_CELL}<code>{html.escape(cell)}</code></td>" for cell in cells) + "</tr>")
    head = "".join(f'<th style="text-align:left">{title}</th>' for title in ("tape", "value", "line"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


_CELL = '<td style="text-align:left">'


def _value(value: Any) -> str:
    """A number or a short array; of others the shape."""
    if value is None:  # freed
        return ""
    if not isinstance(value, (np.ndarray, np.generic)) or value.size > 6:
        return f"{value.dtype} array of shape {value.shape}"
    return np.array2string(np.asarray(value), precision=5, separator=", ").replace("\n", "")
