"""The rule contract: primitives, and the one derivative rule each of them has.

A rule receives ``op`` (``op.inputs``, ``op.output``, ``op.attrs``) and returns the local derivative, one entry per
input; see :class:`RegisterGradient`. Both sweeps, the proofs and the checks use that one rule. The registry is also the
catalogue: what a primitive is, its SymPy counterpart, its domain, its kinks and its test cases are declared with it.
"""

from __future__ import annotations

import copyreg
import difflib
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, overload

import numpy as np

__all__ = ["MINUS_ONE", "ONE", "PRIMITIVES", "Case", "Linear", "NotDifferentiable", "Primitive", "RegisterGradient",
           "implements", "override_gradient", "primitive"]

Rule = Callable[[Any], Any]
Interval = tuple[float, float]
Reads = str | Callable[[Any], str]

#: Partials that the sweeps pass on or negate instead of multiplying by.
ONE = 1
MINUS_ONE = -1

#: Every primitive by name.
PRIMITIVES: dict[str, Primitive] = {}
#: The primitive that stands for a NumPy ufunc.
UFUNCS: dict[np.ufunc, Primitive] = {}
#: What a NumPy function means when one of its arguments is a tensor.
FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}

REAL: Interval = (-np.inf, np.inf)


#: Types that nobody can have given a meaning of their own.
_PLAIN = frozenset([np.ndarray, np.float64, np.float32, np.complex128, float, int, complex])
#: Types of attributes that need no question either.
_STATIC = frozenset([*_PLAIN, type(None), bool, str, tuple, slice])


#: What primitives mean on a type, None for nothing special.
_meanings: dict[type, Callable[..., Any] | None] = {}


def meaning_of(kind: type) -> Callable[..., Any] | None:
    """The ``__tapead_primitive__`` of a type: what applying a primitive to such objects means; None without one."""
    if kind not in _meanings:
        _meanings[kind] = getattr(kind, "__tapead_primitive__", None)
    return _meanings[kind]


#: Linear and its subclasses, which have these four for methods: a set is asked in a third of the time of isinstance.
LINEAR: set[type] = set()


class Linear:
    """A local derivative that is a linear map: how it acts on a tangent, and its adjoint on a cotangent.

    Parameters
    ----------
    apply : callable
        Maps a tangent, of the input's shape, to the tangent of the output (forward sweep).
    adjoint : callable
        Maps a cotangent, of the output's shape, to the cotangent of the input (reverse sweep). With respect to the
        real inner product Re⟨a, b⟩ where values are complex.
    add : callable, optional
        ``add(total, cotangent)`` adds to an array what `adjoint` returns, in place. For adjoints that are zero nearly
        everywhere: a thousand slices of an array then share one buffer.
    reuse : callable, optional
        ``reuse(cotangent)`` makes of the cotangent itself what `adjoint` returns, in place. The sweep calls it where it
        alone holds that array.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> flip = ta.Linear(np.flip, np.flip)
    >>> flip.adjoint(np.array([1.0, 2.0]))
    array([2., 1.])
    """

    __slots__ = ("apply", "adjoint", "add", "reuse")

    def __init_subclass__(cls) -> None:
        LINEAR.add(cls)

    def __init__(self, apply: Callable[[Any], Any], adjoint: Callable[[Any], Any], *,
                 add: Callable[[Any, Any], None] | None = None, reuse: Callable[[Any], None] | None = None) -> None:
        self.apply = apply
        self.adjoint = adjoint
        self.add = add
        self.reuse = reuse


LINEAR.add(Linear)


class Scaled(np.lib.mixins.NDArrayOperatorsMixin):
    """An elementwise partial that is a number times a large array, not multiplied out.

    The cotangent that a sum sends back is one number for many elements: it is scaled in no time, where scaling the
    array would be one more pass over memory. To all but the sweeps it is the product.

    Parameters
    ----------
    number : float
        The factor.
    array : ndarray
        Of doubles.
    """

    __slots__ = ("number", "array")

    def __init__(self, number: float, array: np.ndarray) -> None:
        self.number = number
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.array.dtype

    def whole(self) -> Any:
        """The product."""
        return self.number * self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.whole(), dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        whole = [value.whole() if value.__class__ is Scaled else value for value in inputs]
        return getattr(ufunc, method)(*whole, **kwargs)


class Case(NamedTuple):
    """One call of a primitive for the catalogue's tests: what it is applied to, and its keywords.

    `operands` holds a shape (values are then drawn from the primitive's domain), or an array or number used as it is.
    """

    operands: tuple[Any, ...]
    attrs: dict[str, Any]


def case(*operands: Any, **attrs: Any) -> Case:
    """A :class:`Case` written as the call it stands for: ``case((2, 3), axis=0)``."""
    return Case(operands, attrs)


@dataclass(eq=False, slots=True)
class Primitive:
    """A function with a derivative rule of its own, the unit of recording.

    Calling it evaluates the kernel on arrays, and is recorded when an input is a tracked tensor. Positional arguments
    are what it may be differentiated in; keyword arguments are attributes, handed to the rule as ``op.attrs``.

    Attributes
    ----------
    name : str
        Unique; what rules, reports and ``grad_fn`` call it.
    kernel : callable
        ``kernel(*inputs, **attrs)`` in plain NumPy.
    rule : callable or None
        The derivative, set by ``RegisterGradient``; None until then.
    elementwise : bool
        Whether element (i, j) of the broadcast output depends on elements (i, j) of the broadcast inputs alone.
    differentiable : bool
        False where ``NotDifferentiable`` said so.
    sympy : str or callable or None
        The same function for SymPy: a formula in ``x``, ``y``, ``z``, or a callable on expressions.
    domain : tuple of (float, float)
        Per input, the open interval over which the rule holds.
    kinks : str or None
        An expression in the inputs that vanishes where the function has a kink or a jump.
    cases : tuple of Case
        Calls for the catalogue's tests; elementwise primitives need none.
    reads : str or callable
        Which values the rule looks at; see ``RegisterGradient``.
    masks : bool
        Whether it selects among its inputs' elements, so that those left out may be NaN without harm.
    foreign : bool
        Whether it was made with ``@primitive``, so that arrays among its attributes may be the user's.
    """

    name: str
    kernel: Callable[..., Any]
    rule: Rule | None = None
    elementwise: bool = False
    differentiable: bool = True
    sympy: str | Callable[..., Any] | None = None
    domain: tuple[Interval, ...] = ()
    kinks: str | None = None
    cases: tuple[Case, ...] = ()
    reads: Reads = "all"
    masks: bool = False
    foreign: bool = False

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        """Apply to arrays, numbers, tensors, or any type that defines ``__tapead_primitive__``."""
        if attrs and not _STATIC.issuperset(map(type, attrs.values())):
            self._check_attributes(attrs)
        for value in inputs:
            kind = value.__class__
            if kind not in _PLAIN:
                meaning = _meanings[kind] if kind in _meanings else meaning_of(kind)
                if meaning is not None:
                    return meaning(self, inputs, _copied(attrs) if attrs and self.foreign else attrs)
        return self.kernel(*inputs, **attrs)

    def _check_attributes(self, attrs: dict[str, Any]) -> None:
        for key, value in attrs.items():
            if meaning_of(type(value)) is not None:
                raise TypeError(f"{self.name}: argument {key!r} was given by keyword, which makes it an attribute that "
                                "is not differentiated in; give it by position, or detach it")

    def __reduce__(self) -> Any:
        """Pickled by name: whoever loads it has to have imported what registers it."""
        if PRIMITIVES.get(self.name) is self:
            return lookup, (self.name,)
        return copyreg.__newobj__, (Primitive,), self.__getstate__()  # type: ignore[attr-defined]  # missing from stubs

    def __repr__(self) -> str:
        return f"<Primitive {self.name}>"

    @property
    def arity(self) -> int:
        """How many inputs the kernel takes; its parameters with a default are attributes."""
        if isinstance(self.kernel, np.ufunc):
            return self.kernel.nin
        parameters = inspect.signature(self.kernel).parameters.values()
        return sum(parameter.default is parameter.empty
                   and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
                   for parameter in parameters)


    @property
    def argument_names(self) -> tuple[str, ...]:
        """What the kernel calls its inputs; a kernel of any number of inputs has no names."""
        if isinstance(self.kernel, np.ufunc):
            return ("x",) if self.kernel.nin == 1 else tuple(f"x{i + 1}" for i in range(self.kernel.nin))
        return tuple(parameter.name for parameter in inspect.signature(self.kernel).parameters.values()
                     if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD))


def value_of(x: Any) -> Any:
    """The plain value of a tensor; anything else as it is. For arguments that are not differentiated in."""
    return getattr(x, "_value", x) if hasattr(type(x), "__tapead_primitive__") else x


def add_primitive(new: Primitive) -> Primitive:
    """Put a primitive into the registry; a second one of the same name raises with both places."""
    old = PRIMITIVES.get(new.name)
    if old is not None:
        raise ValueError(f"primitive {new.name!r} at {_location(new.kernel)} already exists: "
                         f"it was registered at {_location(old.kernel)}")
    PRIMITIVES[new.name] = new
    return new


def ufunc_primitive(ufunc: np.ufunc, *, name: str | None = None, sympy: str | None = None,
                    domain: tuple[Interval, ...] | None = None, kinks: str | None = None) -> Primitive:
    """The elementwise primitive of a NumPy ufunc, under the ufunc's own name unless `name` says otherwise."""
    new = add_primitive(Primitive(name or ufunc.__name__, ufunc, elementwise=True, sympy=sympy,
                                  domain=domain or (REAL,) * ufunc.nin, kinks=kinks))
    UFUNCS[ufunc] = new
    return new


def _copied(attrs: dict[str, Any]) -> dict[str, Any]:
    """Attributes whose arrays nobody else can change before the sweep."""
    return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in attrs.items()}


@overload
def primitive(name: Callable[..., Any], /) -> Primitive: ...


@overload
def primitive(name: str | None = None, *, sympy: str | Callable[..., Any] | None = None,
              domain: Interval | Sequence[Interval] | None = None, elementwise: bool | None = None,
              kinks: str | None = None, cases: Sequence[Case] = ()) -> Callable[[Callable[..., Any]], Primitive]: ...


def primitive(name: Any = None, *, sympy: str | Callable[..., Any] | None = None,
              domain: Interval | Sequence[Interval] | None = None, elementwise: bool | None = None,
              kinks: str | None = None, cases: Sequence[Case] = ()) -> Any:
    """Make a kernel in plain NumPy a primitive; register its rule with :class:`RegisterGradient`.

    Parameters
    ----------
    name : str, optional
        The primitive's name; the function's own name by default.
    sympy : str or callable, optional
        The same function on SymPy expressions, as a formula in ``x``, ``y``, ``z`` or a callable. With it the rule can
        be proved.
    domain : (float, float) or sequence of such, optional
        The open interval, of every input or per input, over which the rule holds; the real line by default.
    elementwise : bool, optional
        Whether the function acts element by element. By default it does when `sympy` is given.
    kinks : str, optional
        An expression in the inputs that vanishes where the function has a kink.
    cases : sequence of Case, optional
        Calls to test the primitive with.

    Returns
    -------
    Primitive
        Call it as you would the kernel.

    Raises
    ------
    ValueError
        If the name is taken; the message has the file and line of both.

    Examples
    --------
    >>> import tapead as ta
    >>> @ta.primitive("cube_of", sympy="x**3")
    ... def cube_of(x):
    ...     return x**3
    >>> @ta.RegisterGradient("cube_of")
    ... def _cube_of(op):
    ...     '''d x³ = 3x² dx'''
    ...     x, = op.inputs
    ...     return 3 * x**2
    >>> ta.grad(cube_of)(2.0)
    np.float64(12.0)
    """
    if callable(name):
        return primitive()(name)

    def register(kernel: Callable[..., Any]) -> Primitive:
        new = Primitive(name or kernel.__name__, kernel, sympy=sympy, kinks=kinks, cases=tuple(cases),
                        elementwise=sympy is not None if elementwise is None else elementwise, foreign=True)
        intervals: list[Any] = [REAL] * new.arity if domain is None else list(domain)
        if intervals and not isinstance(intervals[0], tuple):
            intervals = [(float(intervals[0]), float(intervals[1]))] * new.arity
        new.domain = tuple(intervals)
        return add_primitive(new)

    return register


def lookup(name: str) -> Primitive:
    """The primitive called `name`; an unknown name raises LookupError with the near matches."""
    try:
        return PRIMITIVES[name]
    except KeyError:
        near = difflib.get_close_matches(str(name), PRIMITIVES, n=3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise LookupError(f"no primitive is called {name!r}{hint}") from None


_READS = ("all", "inputs", "output", "factors", "nothing")


class RegisterGradient:
    """Attach a derivative rule to the primitive of the given name.

    The rule receives ``op``, with ``op.inputs`` (a tuple), ``op.output`` and ``op.attrs``, and returns the local
    derivative: a tuple of one entry per input, or a bare entry where there is a single input. An entry is

    * an array or number: the elementwise partial derivative, of a shape that broadcasts with the output;
    * the ints ``1`` and ``-1`` (nothing is multiplied) or ``0`` (locally constant in this input);
    * a :class:`Linear`, for maps that are not elementwise;
    * None: not differentiable in this input; differentiating in it raises;
    * a function without arguments that returns one of these, called only when that input is tracked.

    Write it in plain NumPy on ``op.inputs``: then it is differentiable again.

    Parameters
    ----------
    name : str
        Of a registered primitive.
    reads : {"all", "inputs", "output", "factors", "nothing"} or callable
        The values that the rule looks at, so that the tape can let go of large arrays that it does not: the inputs, the
        output, for each input the other inputs (as in a product), or none. Shapes and dtypes may always be asked for.
        Where it depends on which inputs are tracked, a function that says so of the recorded entry.

    Raises
    ------
    LookupError
        If there is no such primitive; the message has the near matches.
    ValueError
        If the primitive has a rule; the message has the file and line of both.
    TypeError
        If the rule does not take exactly one argument.
    """

    def __init__(self, name: str, *, reads: Reads = "all") -> None:
        if reads not in _READS and not callable(reads):
            raise ValueError(f"reads must be one of {', '.join(map(repr, _READS))}, not {reads!r}")
        self.primitive = lookup(name)
        self.reads = reads

    def __call__(self, rule: Rule) -> Rule:
        """Register `rule` and return it."""
        _check_rule(self.primitive, rule)
        _check_unclaimed(self.primitive, rule)
        self.primitive.rule = rule
        self.primitive.reads = self.reads
        return rule


def _check_rule(target: Primitive, rule: Rule) -> None:
    if not callable(rule):
        raise TypeError(f"the rule of {target.name!r} must be a function of one argument, not {rule!r}")
    parameters = inspect.signature(rule).parameters.values()
    required = [p for p in parameters
                if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_one = len(required) == 1 or (not required and any(p.kind is p.VAR_POSITIONAL for p in parameters))
    if not takes_one or any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        raise TypeError(f"the rule of {target.name!r} at {_location(rule)} takes {inspect.signature(rule)}; a rule "
                        "takes exactly one argument, op")


def _check_unclaimed(target: Primitive, rule: Rule) -> None:
    if target.rule is not None:
        raise ValueError(f"{target.name!r} has a rule already: {_location(target.rule)}; the second is at "
                         f"{_location(rule)}. To replace it for a while, use override_gradient")
    if not target.differentiable:
        raise ValueError(f"{target.name!r} was declared not differentiable; the rule at {_location(rule)} contradicts "
                         "it")


def NotDifferentiable(name: str) -> None:  # noqa: N802 -- stands beside RegisterGradient, as in TensorFlow
    """Say on purpose that a primitive has no derivative: its results are constants to every sweep.

    Parameters
    ----------
    name : str
        Of a registered primitive that has no rule.

    Raises
    ------
    LookupError
        If there is no such primitive.
    ValueError
        If it has a rule.
    """
    target = lookup(name)
    if target.rule is not None:
        raise ValueError(f"{name!r} has a rule, at {_location(target.rule)}: it cannot be declared not differentiable")
    target.differentiable = False


def implements(*functions: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare what NumPy functions mean on tensors: the decorated function, called with the same arguments."""

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            if function in FUNCTIONS:
                raise ValueError(f"{function.__name__} is implemented already, at {_location(FUNCTIONS[function])}")
            FUNCTIONS[function] = handler
        if len(functions) == 1:  # so that Python's own errors speak of what the user called
            module = (functions[0].__module__ or "numpy").replace("numpy", "np", 1)
            handler.__qualname__ = f"{module}.{functions[0].__name__}"
        return handler

    return register


#: The overrides in force in this context, and the rules they stand in for.
_overrides: ContextVar[Mapping[str, Rule]] = ContextVar("tapead overrides", default=MappingProxyType({}))


@contextmanager
def override_gradient(rules: Mapping[str, Rule]) -> Iterator[None]:
    """Use other rules for the sweeps that run inside a ``with`` block, in this thread or asynchronous task.

    Parameters
    ----------
    rules : mapping of str to callable
        New rules by name of the primitive.

    Raises
    ------
    LookupError
        If there is no such primitive.
    ValueError
        If the primitive has no rule, or was declared not differentiable.
    TypeError
        If a rule does not take exactly one argument.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> with ta.override_gradient({"sin": lambda op: 7.0}):
    ...     print(ta.grad(np.sin)(0.0))
    7.0
    """
    for name, rule in rules.items():
        target = lookup(name)
        if not target.differentiable or target.rule is None:
            raise ValueError(f"{name!r} has no rule to override: it is not recorded. Make a primitive of your own with "
                             "the same kernel, with @tapead.primitive, and give that a rule")
        _check_rule(target, rule)
    token = _overrides.set({**_overrides.get(), **rules})
    try:
        yield
    finally:
        _overrides.reset(token)


def current_overrides() -> Mapping[str, Rule]:
    """The rules that replace registered ones in this context, by primitive name; empty almost always."""
    return _overrides.get()


def _location(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{os.path.relpath(code.co_filename)}:{code.co_firstlineno}" if code is not None else repr(function)
