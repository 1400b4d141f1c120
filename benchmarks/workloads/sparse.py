"""Sparse derivatives: the Jacobian of a bundle adjustment and the Hessian of Rosenbrock's valley."""

from __future__ import annotations

from typing import Any

import numpy

from ..contenders import HAND, TAPEAD, Builder, Run
from ..harness import Workload
from . import adbench, rosenbrock


def elements(matrix: Any) -> tuple[Any, Any]:
    """The elements of a sparse matrix and their columns."""
    return matrix.data, matrix.indices


# ---------------------------------------------------------------------- bundle adjustment


def errors(np: Any, cameras: Any, points: Any, weights: Any, by: Any, of: Any, seen: Any) -> Any:
    """The weighted differences of all observations, of which each is of one point by one camera."""
    return adbench.reprojection(np, cameras[:, by], points[:, of], weights, seen)


def bundle(cameras: int, points: int, observations: int) -> tuple[Any, ...]:
    """Cameras, points, weights, which camera sees which point in each observation, and where."""
    generator = numpy.random.default_rng(11)
    some, others, weights, seen = adbench.bundle(max(cameras, points, observations))
    by = generator.integers(cameras, size=observations)
    of = generator.integers(points, size=observations)
    return (some[:, :cameras].copy(), others[:, :points].copy(), weights[:observations].copy(), by, of,
            seen[:, :observations].copy())


def jacobian_by_hand(cameras: Any, points: Any, weights: Any, by: Any, of: Any, seen: Any) -> Run:
    """The elements, row by row, where a sparse matrix has them: of a camera's numbers all but one of the centre's."""
    count = weights.size
    observations = numpy.arange(count)
    rows = []
    for other_row in (8, 7):
        used = [number for number in range(11) if number != other_row]
        columns = numpy.stack([*(number * cameras.shape[1] + by for number in used),
                               *(cameras.size + axis * points.shape[1] + of for axis in range(3)),
                               cameras.size + points.size + observations], axis=1)
        rows.append((used, numpy.argsort(columns, axis=1), numpy.sort(columns, axis=1)))
    indices = numpy.concatenate([columns.ravel() for _, _, columns in rows])

    def run() -> Any:
        _, blocks = adbench.reprojection_by_hand(cameras[:, by], points[:, of], weights, seen)
        data = []
        for (used, order, _), (on_camera, on_point, on_weight) in zip(rows, blocks, strict=True):
            values = numpy.concatenate([on_camera[used], on_point, on_weight[None]]).T
            data.append(numpy.take_along_axis(values, order, axis=1).ravel())
        return numpy.concatenate(data), indices

    return run


def jacobian_by_tapead(*data: Any) -> Run:
    """``tapead.jacobian(..., sparse=True)``, which has seen these shapes before."""
    import scipy.sparse

    import tapead

    derivative = tapead.jacobian(lambda *args: errors(numpy, *args), (0, 1, 2), sparse=True)

    def run() -> Any:
        return elements(scipy.sparse.hstack(derivative(*data), format="csr"))

    return run


# ---------------------------------------------------------------------- Rosenbrock


def hessian_by_hand(n: int) -> Run:
    """The three diagonals, row by row."""
    (x,) = rosenbrock.point(n, 1)
    indices = (numpy.arange(n)[:, None] + numpy.array([-1, 0, 1])).ravel()[1:-1]

    def run() -> Any:
        diagonal, beside = rosenbrock.second_derivatives(x)
        data = numpy.zeros((n, 3))
        data[1:, 0] = data[:-1, 2] = beside
        data[:, 1] = diagonal
        return data.ravel()[1:-1], indices

    return run


def hessian_by_tapead(n: int) -> Run:
    """``tapead.hessian(..., sparse=True)``, which has seen these shapes before."""
    import tapead

    (x,) = rosenbrock.point(n, 1)
    derivative = tapead.hessian(lambda x: rosenbrock.rosenbrock(numpy, x), sparse=True)
    return lambda: elements(derivative(x))


def jacobian(cameras: int, points: int, observations: int, **how: Any) -> Workload:
    """The Jacobian of a bundle adjustment; the peers return no sparse matrices."""
    contenders: dict[str, Builder] = {HAND: lambda: jacobian_by_hand(*bundle(cameras, points, observations)),
                                      TAPEAD: lambda: jacobian_by_tapead(*bundle(cameras, points, observations))}
    return Workload("sparse BA Jacobian", f"{observations:,} observations", contenders, **how)


def hessian(n: int, **how: Any) -> Workload:
    """The Hessian in n variables."""
    contenders: dict[str, Builder] = {HAND: lambda: hessian_by_hand(n), TAPEAD: lambda: hessian_by_tapead(n)}
    return Workload("sparse rosenbrock Hessian", f"n={n:,}", contenders, curve=n, **how)


WORKLOADS = [jacobian(50, 500, 2_500, quick=True), *(hessian(n, only_curve=True) for n in (1_000, 10_000)),
             hessian(100_000, large=True), hessian(1_000_000, only_curve=True)]
