"""What a sweep does besides sweeping, where somebody is watching: it calls hooks, and looks for NaN and Inf.

A sweep that nobody watches has no observer. One that is watched asks its observer for the rule of each entry; what it
gets makes the products itself, carefully, and shows them around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .anomaly import Anomalies
from .hooks import Hooks, hooked
from .partials import call_lazy, fit, not_differentiable, plain, pull, push, wrong_arity
from .registry import Linear
from .tape import Entry, Leaf, looking_for_anomalies
from .tensor import Tensor, _wrap

__all__ = ["Observer", "observe", "observe_forward"]

Rule = Callable[[Any], Any]


def observe(roots: Iterable[Entry]) -> Observer | None:
    """The observer of a sweep from `roots`; None, almost always, where nobody is watching."""
    if looking_for_anomalies.get():
        return Observer(Anomalies(roots))
    return Observer(None) if hooked else None


def observe_forward(order: Sequence[Entry]) -> Observer | None:
    """The observer of a forward sweep over `order`; hooks are about gradients and wait for reverse sweeps."""
    if not looking_for_anomalies.get():
        return None
    used = {parent for entry in order for parent in entry.parents}
    ends = [entry for entry in order if entry not in used]
    return Observer(Anomalies(ends), ends)


class Observer:
    """Calls the hooks of the entries that a sweep passes, and hands on what it sees to the search for anomalies."""

    def __init__(self, anomalies: Anomalies | None, ends: Sequence[Entry] = ()) -> None:
        self.anomalies = anomalies
        self.ends = ends

    def arrive(self, entry: Entry, cotangent: Any) -> Any:
        """The cotangent of an entry after the hooks of its tensor."""
        hooks: Hooks | None = getattr(entry, "hooks", None)
        if hooks is not None:
            for hook in hooks.of("gradient"):
                cotangent = _replaced(cotangent, hook(_shown(cotangent)), entry, "register_hook")
        return cotangent

    def before(self, entry: Entry, cotangent: Any) -> Any:
        """The cotangent that the rule is to get, after the hooks that wait before it."""
        hooks: Hooks | None = getattr(entry, "hooks", None)
        if hooks is not None:
            for hook in hooks.of("before"):
                answer = hook((_shown(cotangent),))
                if answer is not None:
                    (new,) = _tuple(answer, 1, entry, "register_prehook")
                    cotangent = _replaced(cotangent, new, entry, "register_prehook")
        return cotangent

    def rule(self, entry: Entry, rule: Rule, cotangent: Any) -> Rule:
        """A rule whose adjoints give what `rule` makes of `cotangent`, after the hooks and the search for anomalies."""
        hooks: Hooks | None = getattr(entry, "hooks", None)
        after = [] if hooks is None else hooks.of("after")
        if not after and self.anomalies is None:
            return rule

        def observed(op: Any) -> tuple[Any, ...]:
            partials = _as_tuple(rule(op), entry)
            known: dict[int, Any] = {}

            def product(position: int) -> Any:
                if position not in known:
                    known[position] = made = self._product(entry, position, partials[position], cotangent)
                    if self.anomalies is not None:
                        self.anomalies.pulled(entry, position, plain(cotangent), plain(made))
                return known[position]

            tracked = [position for position, parent in enumerate(entry.parents)
                       if parent is not None and partials[position] is not None]
            if after:
                known.update(_after(entry, after, {position: product(position) for position in tracked}, cotangent))
            return tuple([_constant(product, position) if position in tracked else None
                          for position in range(len(partials))])

        return observed

    def _product(self, entry: Entry, position: int, partial: Any, cotangent: Any) -> Any:
        if not isinstance(partial, Linear) and callable(partial):
            partial = call_lazy(partial)
            if partial is None:
                raise not_differentiable(entry.primitive, entry, position)
        made = pull(cotangent, partial, True)
        parent = entry.parents[position]
        assert parent is not None  # only tracked inputs have products
        if made is None:
            made = np.zeros_like(plain(cotangent))[()]
        return fit(made, parent.output, entry.primitive)

    def forward_rule(self, entry: Entry, rule: Rule) -> Rule:
        """A rule whose linear maps show the search for anomalies what they make of tangents."""
        anomalies = self.anomalies
        if anomalies is None:
            return rule

        def observed(op: Any) -> tuple[Any, ...]:
            return tuple([None if partial is None else Linear(_shown_push(partial, position), _no_adjoint)
                          for position, partial in enumerate(_as_tuple(rule(op), entry))])

        def _shown_push(partial: Any, position: int) -> Callable[[Any], Any]:
            def apply(tangent: Any) -> Any:
                inner = call_lazy(partial) if not isinstance(partial, Linear) and callable(partial) else partial
                made = push(tangent, inner)
                if made is None:
                    if inner is None:
                        raise not_differentiable(entry.primitive, entry, position)
                    return np.zeros_like(plain(tangent))[()]
                anomalies.pushed(entry, position, plain(tangent), plain(made))
                return made

            return apply

        return observed

    def finish(self, results: dict[Entry, Any]) -> None:
        """Call the hooks of leaves on their complete cotangents; raise if an anomaly reached a result."""
        for entry, cotangent in results.items():
            if isinstance(entry, Leaf) and hasattr(entry, "hooks"):
                results[entry] = arrived = self.before(entry, self.arrive(entry, cotangent))
                for hook in entry.hooks.of("after"):
                    hook((), (_shown(arrived),))
        if self.anomalies is not None:
            self.anomalies.finish(map(plain, results.values()))

    def finish_forward(self, tangents: dict[Entry, Any]) -> None:
        """Raise if an anomaly reached the end of a forward sweep."""
        if self.anomalies is not None:
            self.anomalies.finish([plain(tangents.get(entry)) for entry in self.ends])


def _no_adjoint(_: Any) -> Any:
    raise AssertionError("a forward sweep asks for no adjoint")


def _constant(product: Callable[[int], Any], position: int) -> Linear:
    return Linear(_no_adjoint, lambda _: product(position))


def _as_tuple(partials: Any, entry: Entry) -> tuple[Any, ...]:
    found: tuple[Any, ...] = tuple(partials) if isinstance(partials, (tuple, list)) else (partials,)
    if len(found) != len(entry.parents):
        raise wrong_arity(entry.primitive, found, entry.parents)
    return found


def _after(entry: Entry, hooks: list[Callable[..., Any]], products: dict[int, Any], cotangent: Any) -> dict[int, Any]:
    """What the hooks after the rule make of its products."""
    for hook in hooks:
        shown = tuple([_shown(products[position]) if position in products else None
                       for position in range(len(entry.parents))])
        answer = hook(shown, (_shown(cotangent),))
        if answer is not None:
            answers = _tuple(answer, len(shown), entry, "register_hook")
            products = {position: _replaced(product, answers[position], entry, f"register_hook, input {position}")
                        for position, product in products.items()}
    return products


def _shown(cotangent: Any) -> Tensor:
    """A cotangent as a hook gets it."""
    return cotangent if isinstance(cotangent, Tensor) else _wrap(cotangent, None)


def _tuple(answer: Any, count: int, entry: Entry, what: str) -> tuple[Any, ...]:
    answers = answer if isinstance(answer, tuple) else (answer,)
    if len(answers) != count:
        raise RuntimeError(f"a hook ({what} at {entry!r}) returned {len(answers)} gradients, expected {count}")
    return answers


def _replaced(cotangent: Any, answer: Any, entry: Entry, what: str) -> Any:
    """What a hook returned in place of a cotangent, once it is seen to fit."""
    if answer is None:
        return cotangent
    new = answer if isinstance(answer, Tensor) and answer.requires_grad else np.asarray(plain(answer))[()]
    if new.shape != cotangent.shape:
        raise RuntimeError(f"a hook ({what} at {entry!r}, recorded at {entry.where}) returned a gradient of shape "
                           f"{new.shape} in the place of one of shape {cotangent.shape}")
    if new.dtype.kind not in "fciub" or (new.dtype.kind == "c" and cotangent.dtype.kind != "c"):
        raise TypeError(f"a hook ({what} at {entry!r}, recorded at {entry.where}) returned a gradient of dtype "
                        f"{new.dtype} in the place of one of dtype {cotangent.dtype}")
    return new if new.dtype == cotangent.dtype else new.astype(cotangent.dtype)
