"""Switching recording off and on: ``no_grad`` and its kin, as context managers and as decorators."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from contextvars import Token
from typing import Any, TypeVar

from .tape import Scope, recording_scope, reset_current_scope, set_current_scope, start_scope

__all__ = ["enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def is_grad_enabled() -> bool:
    """Whether operations on tensors are recorded here (in this thread and this asynchronous task)."""
    return recording_scope() is not None


class set_grad_enabled:  # noqa: N801 -- PyTorch's name for a context manager that also acts when called
    """Switch recording on or off: at once when called, and back at the end when used in ``with``.

    Parameters
    ----------
    mode : bool
        Whether operations on tensors are to be recorded.

    Examples
    --------
    >>> import tapead as ta
    >>> x = ta.tensor(2.0, requires_grad=True)
    >>> with ta.set_grad_enabled(False):
    ...     y = x * 3.0
    >>> y.requires_grad
    False
    """

    _at_once = True

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self._tokens: list[Token[Scope]] = []
        if self._at_once:
            self._enter()

    def _enter(self) -> None:
        scope = start_scope()
        self._tokens.append(set_current_scope(scope if scope.enabled == self.mode else scope.twin))

    def __enter__(self) -> None:
        if not (self._at_once and len(self._tokens) == 1):
            self._enter()

    def __exit__(self, *error: object) -> None:
        reset_current_scope(self._tokens.pop())

    def __call__(self, function: _Function) -> _Function:
        """Use as a decorator: `function` runs with this setting."""
        if self._at_once and self._tokens:  # as a decorator it acts on the function alone
            self.__exit__()
        mode = self.mode

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with _scoped(mode):
                return function(*args, **kwargs)

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            return (yield from _stepped(function(*args, **kwargs), mode))

        @functools.wraps(function)
        async def wait(*args: Any, **kwargs: Any) -> Any:
            with _scoped(mode):
                return await function(*args, **kwargs)

        if inspect.isgeneratorfunction(function):
            return generate  # type: ignore[return-value]  # functools.wraps keeps the signature, mypy cannot see it
        return wait if inspect.iscoroutinefunction(function) else call  # type: ignore[return-value]  # as above


def _stepped(generator: Generator[Any, Any, Any], mode: bool) -> Generator[Any, Any, Any]:
    """A generator that runs with a setting of its own, which its caller does not see between the steps."""
    resume: Callable[[Any], Any] = generator.send
    value: Any = None
    while True:
        try:
            with _scoped(mode):
                result = resume(value)
        except StopIteration as stop:
            return stop.value
        try:
            value = yield result
            resume = generator.send
        except GeneratorExit:
            with _scoped(mode):
                generator.close()
            raise
        except BaseException as error:
            value, resume = error, generator.throw


class _scoped(set_grad_enabled):  # noqa: N801 -- see its base
    """The setting for the length of a ``with`` block or of a decorated function."""

    _at_once = False


class no_grad(_scoped):  # noqa: N801 -- PyTorch's name
    """Do not record: results do not require gradients, and recording costs nothing.

    Examples
    --------
    >>> import tapead as ta
    >>> x = ta.tensor(2.0, requires_grad=True)
    >>> with ta.no_grad():
    ...     print((x * 3.0).requires_grad)
    False
    >>> @ta.no_grad()
    ... def evaluate(x):
    ...     return x * 3.0
    >>> evaluate(x)
    tensor(6.)

    As a decorator it does without parentheses, too: ``@ta.no_grad``.
    """

    def __new__(cls, function: Any = None) -> Any:  # noqa: D102 -- the class says it
        made = super().__new__(cls)
        if function is None:
            return made
        set_grad_enabled.__init__(made, False)
        return made(function)

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(_scoped):  # noqa: N801 -- PyTorch's name
    """Record again inside ``no_grad``.

    Examples
    --------
    >>> import tapead as ta
    >>> x = ta.tensor(2.0, requires_grad=True)
    >>> with ta.no_grad(), ta.enable_grad():
    ...     print((x * 3.0).requires_grad)
    True
    """

    def __new__(cls, function: Any = None) -> Any:  # noqa: D102 -- the class says it
        made = super().__new__(cls)
        if function is None:
            return made
        set_grad_enabled.__init__(made, True)
        return made(function)

    def __init__(self) -> None:
        super().__init__(True)
