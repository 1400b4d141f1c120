"""What tapead makes of every public function of NumPy, and of SciPy's special functions: the census of its coverage.

Each is covered (it has a derivative), constant (its result is a shape, an index, a truth value or a step: plain, with
no derivative to lose), or left out with a reason. What is none of these is unknown, and a test fails.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from .creation import MAKERS
from .ops.calls import COMPOSED, ON_VALUES
from .ops.plain import PLAIN_FUNCTIONS
from .registry import FUNCTIONS, UFUNCS

__all__ = ["AREAS", "COVERED", "CONSTANT", "LEFT_OUT", "UNKNOWN", "Standing", "census"]

COVERED, CONSTANT, LEFT_OUT, UNKNOWN = "covered", "constant", "left out", "unknown"

AREAS: dict[str, ModuleType] = {"numpy": np, "numpy.linalg": np.linalg, "numpy.fft": np.fft, "numpy.emath": np.emath}

#: Steps, and what else has a meaning on tensors but no derivative.
_CONSTANT = frozenset([*PLAIN_FUNCTIONS, *ON_VALUES, *MAKERS, np.round, np.around, np.fix, np.linalg.matrix_rank])
#: Written in Python with nothing but operators and covered functions: they work as they are.
_AS_THEY_ARE = frozenset([np.fft.fftfreq, np.fft.rfftfreq, np.poly1d])

_NO_NUMBERS = "takes no array of numbers"
_OWN_ARRAY = "makes a plain array of its argument and asks nobody; a tensor that requires a gradient raises"
_ELEMENTS = "hands Python the elements of a plain array; a tensor that requires a gradient raises"

#: Why a public name is neither covered nor constant.
_REASONS: dict[str, str] = {
    **dict.fromkeys(["bartlett", "blackman", "hamming", "hanning"], "of a length alone"),
    "kaiser": "makes an array of its arguments; use np.i0(beta * np.sqrt(1 - t**2)) / np.i0(beta)",
    **dict.fromkeys(["base_repr", "binary_repr", "format_float_positional", "format_float_scientific"],
                    "text of one plain number"),
    **dict.fromkeys(["broadcast_shapes", "diag_indices", "indices", "mask_indices", "tril_indices", "triu_indices"],
                    "of shapes alone"),
    **dict.fromkeys(["datetime_data", "isdtype", "issubdtype", "mintypecode", "promote_types", "typename"],
                    "of types alone"),
    **dict.fromkeys(["get_include", "get_printoptions", "getbufsize", "geterr", "geterrcall", "info", "printoptions",
                     "set_printoptions", "setbufsize", "seterr", "seterrcall", "show_config", "show_runtime", "test"],
                    "NumPy's own settings"),
    **dict.fromkeys(["busday_count", "busday_offset", "datetime_as_string", "is_busday"], "of dates alone"),
    **dict.fromkeys(["fromregex", "load"], "reads a file"),
    **dict.fromkeys(["asarray_chkfinite", "asmatrix", "bmat", "from_dlpack"], _OWN_ARRAY),
    **dict.fromkeys(["isfortran", "isscalar", "iterable"], "a question about the object itself, answered plainly"),
    "frompyfunc": "the ufunc it makes has no derivative and says so; see @tapead.primitive",
    "nested_iters": _ELEMENTS,
    "row_stack": "NumPy's deprecated name of vstack, which is covered",
    "trapz": "the name that trapezoid had until NumPy 2.4", "in1d": "the name that isin had until NumPy 2.4",
}

#: The same for classes.
_CLASSES: dict[str, str] = {
    **dict.fromkeys(["dtype", "errstate", "finfo", "iinfo", "ufunc", "busdaycalendar", "ndindex", "LinAlgError"],
                    _NO_NUMBERS),
    **dict.fromkeys(["ndarray", "matrix", "memmap", "recarray", "chararray"], "another kind of array; a tensor that "
                                                                              "requires a gradient raises"),
    **dict.fromkeys(["flatiter", "broadcast", "nditer", "ndenumerate"], _ELEMENTS),
    "vectorize": "a class that makes plain arrays of its arguments; tapead.vectorize is the same with derivatives",
}


class Standing(NamedTuple):
    """What is made of one public function.

    Attributes
    ----------
    area : str
        The namespace it is in, ``numpy.linalg``.
    name : str
        Its name there.
    state : str
        "covered", "constant", "left out" or "unknown".
    reason : str
        Why it is left out, or what to do about one that is unknown.
    """

    area: str
    name: str
    state: str
    reason: str = ""


def census(area: str, namespace: Any) -> Iterator[Standing]:
    """The standing of every public callable of a namespace, in alphabetical order.

    Parameters
    ----------
    area : str
        What to call the namespace.
    namespace : module
        Looked through as it is now, whatever version of NumPy is installed.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead.coverage import census
    >>> [standing.name for standing in census("numpy.fft", np.fft) if standing.state != "covered"]
    ['test']
    """
    for name in sorted(dir(namespace)):
        thing = getattr(namespace, name)
        if not name.startswith("_") and callable(thing):
            yield Standing(area, name, *_judged(area, name, thing))


def _judged(area: str, name: str, thing: Any) -> tuple[str, str]:
    if thing in _AS_THEY_ARE:
        return COVERED, ""
    if inspect.isclass(thing):
        if issubclass(thing, np.generic):
            return LEFT_OUT, "a type of numbers"
        reasons = _CLASSES
    elif thing in _CONSTANT:
        return CONSTANT, ""
    elif thing in UFUNCS:
        return COVERED if UFUNCS[thing].differentiable else CONSTANT, ""
    elif thing in FUNCTIONS or thing in COMPOSED:
        return COVERED, ""
    else:
        reasons = _REASONS
    if name in reasons:
        return LEFT_OUT, reasons[name]
    return UNKNOWN, (f"{area}.{name} is new: give it a meaning (@implements in tapead/ops) and a call in "
                     "tests/namespace_calls.py, or say that it is constant (PLAIN_FUNCTIONS in tapead/ops/plain.py), "
                     "or list it with a reason (tapead/coverage.py)")
