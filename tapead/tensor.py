"""Tensors: a value plus its place on the tape. What NumPy does with them is in `protocols` and `operators`."""

from __future__ import annotations

import operator
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from .decisions import Decision, noted
from .hooks import Handle, add_hook, hooks_of, move_hooks, retaining
from .readonly import ReadOnly
from .refusals import why_no_number
from .registry import PRIMITIVES, Primitive
from .tape import (
    Entry,
    Leaf,
    new_leaf,
    recording_scope,
    start_scope,
    user_frame,
)

if TYPE_CHECKING:
    from .hints import Operand

__all__ = ["Tensor", "tensor"]

#: Where a derivative of the user's is recorded, the entries whose values it takes off the tape.
leaving: ContextVar[set[Entry] | None] = ContextVar("tapead entries left", default=None)


if TYPE_CHECKING:
    def _operator(self: Tensor, other: Operand) -> Tensor: ...


class Tensor:
    """A value plus its place on the tape. Make one with :func:`tensor`; NumPy's functions make the rest.

    Attributes
    ----------
    data : ndarray or NumPy scalar
        The value. Assigning to it replaces the value and starts a new history.
    grad : Tensor or None
        The gradient that ``backward`` has accumulated (leaves only).
    """

    __slots__ = ("_value", "_entry", "_grad", "_links", "__weakref__")

    _value: Any
    _entry: Entry | None
    _grad: Tensor | None
    # Set only where there is something to say: a slot that is never set costs nothing.
    _links: tuple[Tensor, Primitive, dict[str, Any]] | list[weakref.ref[Tensor]]

    # Tells the operators of other array types that ours are to be asked.
    __array_priority__ = 1000.0

    if TYPE_CHECKING:  # what `protocols`, `operators` and `inplace` attach
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operator
        __pow__ = __rpow__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __matmul__ = __rmatmul__ = _operator
        __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imod__ = __ifloordiv__ = __imatmul__ = _operator

        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...
        def __getitem__(self, key: Any) -> Any: ...
        def __setitem__(self, key: Any, value: Any) -> None: ...
        def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any: ...
        def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any: ...
        @staticmethod
        def __tapead_primitive__(primitive: Primitive, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any: ...

        def __getattr__(self, name: str) -> Any: ...

    # ------------------------------------------------------------------ what it is

    @property
    def data(self) -> Any:
        """The value, as a NumPy scalar or an array that cannot be written into: the tape may need what is in it.

        ``x.data -= step`` and ``x.data[i] = v`` change the tensor off the tape: entries keep the values they saw.
        """
        value = self._value
        self._leave()
        if value.__class__ is np.ndarray:
            view: ReadOnly = value.view(ReadOnly)
            view.tensor = self
            return view
        return value

    @data.setter
    def data(self, value: Any) -> None:
        new = np.array(value._value if isinstance(value, Tensor) else value, dtype=self.dtype)
        if new.shape != self.shape:
            raise ValueError(f"x.data = ...: the new value has shape {new.shape}, the tensor {self.shape}")
        previous = self._entry
        self._value = new[()]
        self._entry = None
        if previous is not None:
            self.requires_grad_()
            if isinstance(previous, Leaf):
                move_hooks(previous, self._tracked("data"))

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient, a tensor of this one's shape and dtype; None before the first ``backward``.

        Only leaves have one, and results of which ``retain_grad()`` was asked.
        """
        found = getattr(self, "_grad", self)
        if found is not self:
            return found
        if not self.is_leaf and self._entry not in retaining:
            self._grad = None  # so that this is said once
            warnings.warn(f"x.grad of the result of {self._entry!r}: backward() keeps gradients of leaves only; call "
                          "x.retain_grad() before it to have this one kept", UserWarning, stacklevel=2)
        return None

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            value = value if isinstance(value, Tensor) else tensor(value, dtype=self.dtype)
            if value.shape != self.shape:
                raise ValueError(f"x.grad = ...: the gradient has shape {value.shape}, the tensor {self.shape}")
        self._grad = value

    @property
    def grad_fn(self) -> Entry | None:
        """The entry that computed this tensor; None for a leaf."""
        return None if self._entry is None or isinstance(self._entry, Leaf) else self._entry

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        return self._entry is not None

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        self.requires_grad_(flag)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return self._entry is None or isinstance(self._entry, Leaf)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._value.shape  # type: ignore[no-any-return]  # _value is an array or a NumPy scalar

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self._value.dtype  # type: ignore[no-any-return]  # as for shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._value.ndim  # type: ignore[no-any-return]  # as for shape

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._value.size  # type: ignore[no-any-return]  # as for shape

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self._value.itemsize  # type: ignore[no-any-return]  # as for shape

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._value.nbytes  # type: ignore[no-any-return]  # as for shape

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis."""
        return self._value.strides  # type: ignore[no-any-return]  # as for shape

    @property
    def flags(self) -> Any:
        """How the elements lie in memory."""
        return self._value.flags

    @property
    def device(self) -> str:
        """Where the elements are: always "cpu"."""
        return "cpu"

    @property
    def flat(self) -> Tensor:
        """The elements in a row: to read, and where they lie so in memory to write into as well."""
        row: Tensor = PRIMITIVES["reshape"](self, shape=-1)
        if row.ndim and not np.may_share_memory(row._value, self._value):  # writing into a copy would be lost
            row._value = row._value.view()
            row._value.flags.writeable = False
        return row

    @property
    def T(self) -> Tensor:  # noqa: N802 -- NumPy's name
        """The tensor with its axes reversed."""
        return self.transpose()  # type: ignore[no-any-return]  # attached by `operators`

    @property
    def mT(self) -> Tensor:  # noqa: N802 -- NumPy's name
        """The tensor with its last two axes swapped."""
        if self.ndim < 2:
            raise ValueError(f"x.mT: a matrix transpose needs at least two axes, this tensor has shape {self.shape}")
        return self.swapaxes(-1, -2)  # type: ignore[no-any-return]  # as for T

    @property
    def real(self) -> Tensor:
        """The real part."""
        return PRIMITIVES["real"](self)  # type: ignore[no-any-return]  # of a tensor

    @property
    def imag(self) -> Tensor:
        """The imaginary part."""
        return PRIMITIVES["imag"](self)  # type: ignore[no-any-return]  # of a tensor

    @property
    def _view(self) -> tuple[Tensor, Primitive, dict[str, Any]] | None:
        """Of which tensor this one is a view, and by which primitive; None where it has memory of its own."""
        links = getattr(self, "_links", None)
        return links if links.__class__ is tuple else None

    @property
    def _views(self) -> list[weakref.ref[Tensor]] | None:
        """All views of this tensor's memory that were ever made."""
        links = getattr(self, "_links", None)
        return links if links.__class__ is list else None

    # ------------------------------------------------------------------ leaving the tape

    def numpy(self) -> Any:
        """A copy of the value as an array; a tracked tensor must be detached first.

        Raises
        ------
        RuntimeError
            If the tensor requires a gradient.
        """
        if self._entry is not None:
            raise RuntimeError("x.numpy() on a tensor that requires a gradient would drop its graph; "
                               "use x.detach().numpy()")
        return np.array(self._value)

    def item(self, *place: int) -> Any:
        """The only element (or the one at `place`) as a Python number, off the tape."""
        self._leave()
        return self._value.item(*place)

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers, off the tape."""
        self._leave()
        return self._value.tolist()

    def detach(self) -> Tensor:
        """The same value, off the tape."""
        self._leave()
        return _wrap(self._value, None)

    def _leave(self) -> None:
        left = leaving.get()
        if left is not None and self._entry is not None:
            left.add(self._entry)

    def requires_grad_(self, flag: bool = True) -> Tensor:
        """Track this tensor from here on, or no longer (`flag` false).

        Raises
        ------
        TypeError
            If the values are not floating-point or complex.
        RuntimeError
            If `flag` is false and an operation made this tensor: ``detach`` it instead.
        """
        if not flag:
            if not self.is_leaf:
                raise RuntimeError("x.requires_grad_(False): this tensor is the result of "
                                   f"{self._entry!r}; use x.detach()")
            self._entry = None
        elif self._entry is None:
            if self.dtype.kind not in "fc":
                raise TypeError(f"only floating-point and complex tensors can require a gradient; this one has dtype "
                                f"{self.dtype}: use tapead.tensor(x, dtype=float, requires_grad=True)")
            self._entry = _leaf(self._value)
            self._entry.tensor = weakref.ref(self)
        return self

    def retain_grad(self) -> None:
        """Have ``backward`` keep the gradient of this result in ``.grad``, as it does for leaves.

        Examples
        --------
        >>> import tapead as ta
        >>> x = ta.tensor(3.0, requires_grad=True)
        >>> y = x * x
        >>> y.retain_grad()
        >>> (2.0 * y).backward()
        >>> y.grad
        tensor(2.)
        """
        entry = self._tracked("retain_grad")
        if not self.is_leaf:
            hooks_of(entry).tensor = weakref.ref(self)
            retaining.add(entry)

    def register_hook(self, hook: Callable[[Tensor], Any]) -> Handle:
        """Call ``hook(gradient)`` whenever a reverse sweep knows the gradient of this tensor.

        What the hook returns, unless None, takes the place of the gradient.

        Returns
        -------
        Handle
            With a method ``remove()``.

        Examples
        --------
        >>> import tapead as ta
        >>> x = ta.tensor(3.0, requires_grad=True)
        >>> handle = x.register_hook(lambda gradient: 10.0 * gradient)
        >>> (x * x).backward()
        >>> x.grad
        tensor(60.)
        >>> handle.remove()
        """
        return add_hook(self._tracked("register_hook"), "gradient", hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], Any]) -> Handle:
        """Call ``hook(tensor)`` whenever ``backward`` has added to ``.grad`` of this leaf."""
        entry = self._tracked("register_post_accumulate_grad_hook")
        if not self.is_leaf:
            raise RuntimeError("x.register_post_accumulate_grad_hook: this tensor is no leaf, it is the result of "
                               f"{entry!r}; use x.register_hook")
        return add_hook(entry, "accumulated", hook)

    def _tracked(self, method: str) -> Entry:
        if self._entry is None:
            raise RuntimeError(f"x.{method}() on a tensor that does not require a gradient: there will be none")
        return self._entry

    def backward(self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
                 inputs: Tensor | Iterable[Tensor] | None = None) -> None:
        """Add the gradient of this tensor to ``.grad`` of every leaf it depends on.

        Parameters
        ----------
        gradient : array_like, optional
            The cotangent, of this tensor's shape; may be left out for a tensor of one element.
        retain_graph : bool, optional
            Keep the graph for another sweep; by default the value of `create_graph`.
        create_graph : bool
            Record the sweep itself, so that the gradients can be differentiated again.
        inputs : Tensor or sequence of Tensor, optional
            Whose ``.grad`` is to be added to, leaves or results, instead of that of every leaf.

        Raises
        ------
        RuntimeError
            If the tensor has no history, is complex or has several elements and no `gradient` is given, or its graph
            has been freed.

        Examples
        --------
        >>> import tapead as ta
        >>> x = ta.tensor([1.0, 2.0], requires_grad=True)
        >>> (x**2).sum().backward()
        >>> x.grad
        tensor([2., 4.])
        """
        from .backward import backward  # the one use of a sweep down here, for PyTorch's spelling

        backward(self, gradient, retain_graph, create_graph, inputs)

    def zero_(self) -> Tensor:
        """Set every element to zero, in place; for ``x.grad.zero_()``.

        Raises
        ------
        RuntimeError
            If the tensor is a leaf that requires a gradient.
        """
        if isinstance(self._entry, Leaf) and recording_scope() is not None:
            raise RuntimeError("x.zero_() on a leaf that requires a gradient; use x.detach() or tapead.no_grad()")
        self[...] = 0
        return self

    # ------------------------------------------------------------------ Python's protocols

    __hash__ = object.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.is_leaf:
            warnings.warn(f"a copied or pickled tensor leaves its history behind: this result of {self._entry!r} "
                          "becomes a tensor that does not require a gradient; use x.detach() to say so",
                          UserWarning, stacklevel=3)
        return _restored, (self._value, self.requires_grad and self.is_leaf, getattr(self, "_grad", None))

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[position] for position in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self._value == (value.data if isinstance(value, Tensor) else value)))

    def __bool__(self) -> bool:
        result = bool(self._value)
        if self._entry is not None and (decisions := noted.get()) is not None:
            decisions.append(Decision(PRIMITIVES["not_equal"], (self, 0.0), result))
        return result

    def __float__(self) -> float:
        return float(self._number("float"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __complex__(self) -> complex:
        return complex(self._number("complex"))

    def __round__(self, ndigits: int | None = None) -> Any:
        return round(self._number("round")) if ndigits is None else np.round(self, ndigits)

    def __index__(self) -> int:
        return operator.index(self._number("index"))

    def _number(self, function: str) -> Any:
        if self._entry is not None:
            raise TypeError(why_no_number(function, sys._getframe(2)))
        return self._value

    def _repr_latex_(self) -> str | None:
        """What a notebook shows: the formula that this tensor was computed by."""
        return _displayed("latex_of", self)

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the formula and the tape."""
        return _displayed("html_of", self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 and spec else str(self)

    def __repr__(self) -> str:
        text = np.array2string(np.asarray(self._value), precision=4, separator=", ", prefix="tensor(")
        if self.size == 0 and self.ndim != 1:
            text += f", shape={self.shape}"
        if self.dtype not in _DEFAULT_DTYPES:
            text += f", dtype={self.dtype}"
        if self.grad_fn is not None:
            text += f", grad_fn={self.grad_fn}"
        elif self._entry is not None:
            text += ", requires_grad=True"
        return f"tensor({text})"


def _displayed(name: str, shown: Tensor) -> str | None:
    """What the SymPy module shows of a tensor; None, and so the plain text, whatever stops it."""
    if shown._entry is None:
        return None
    try:
        from .symbolic import display  # SymPy is for those who look

        text: str | None = getattr(display, name)(shown)
    except Exception:  # looking at a tensor never fails
        return None
    return text


def _restored(value: Any, requires_grad: bool, gradient: Tensor | None) -> Tensor:
    """What a pickled tensor becomes."""
    result = tensor(value, None, requires_grad)
    if gradient is not None:
        result.grad = gradient
    return result


_DEFAULT_DTYPES = frozenset(map(np.dtype, [float, int, bool, complex]))
NO_ATTRS: dict[str, Any] = {}


# ---------------------------------------------------------------------- making tensors


def _wrap(value: Any, entry: Entry | None) -> Tensor:
    result = Tensor()
    result._value = value
    result._entry = entry
    return result


def _untracked(output: Any) -> Any:
    """A result without history: a tensor, but a plain array where it holds truth values or integers."""
    return _wrap(output, None) if output.dtype.kind in "fc" else output


def _leaf(value: Any) -> Leaf:
    scope = start_scope()
    return new_leaf(value, scope if scope.enabled else scope.twin, user_frame())


def _contains_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, (list, tuple)) and any(map(_contains_tensor, value)))


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor that holds a copy of `data`.

    Parameters
    ----------
    data : array_like
        Numbers, nested lists of numbers, an array, or a tensor (whose history is left behind).
    dtype : dtype, optional
        Of the elements; NumPy's choice for `data` by default.
    requires_grad : bool
        Whether to record what is computed from it.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        If `data` holds anything but numbers, or `requires_grad` is asked of integers or truth values.

    Examples
    --------
    >>> import tapead as ta
    >>> ta.tensor([1.0, 2.0], requires_grad=True)
    tensor([1., 2.], requires_grad=True)
    """
    if isinstance(data, Tensor):
        data = data._value
    elif _contains_tensor(data):
        raise TypeError("tapead.tensor: a list with tensors in it would lose their graphs; use tapead.array([...])")
    value = np.array(data, dtype=dtype)
    if value.dtype.kind not in "fciub":
        raise TypeError(f"tapead.tensor: expected numbers, got {type(data).__name__} of dtype {value.dtype}")
    result = _wrap(value[()], None)
    return result.requires_grad_() if requires_grad else result
