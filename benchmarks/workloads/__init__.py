"""The workloads, one idea per file."""

from . import adbench, elementwise, jacobians, learning, linalg, ode, rosenbrock, scalars, sparse

WORKLOADS = [*scalars.WORKLOADS, *elementwise.WORKLOADS, *rosenbrock.WORKLOADS, *learning.WORKLOADS,
             *adbench.WORKLOADS, *jacobians.WORKLOADS, *linalg.WORKLOADS, *ode.WORKLOADS,
             *sparse.WORKLOADS]
