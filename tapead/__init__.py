"""tapead: exact derivatives of plain NumPy programs, and proof that they are right."""

from typing import TYPE_CHECKING, Any

from . import creation as _creation  # noqa: F401 -- np.zeros_like(tensor) and its kin
from . import inplace as _inplace  # noqa: F401 -- gives tensors the operators that write
from .anomaly import AnomalyError, detect_anomaly
from .backward import gradients
from .checkpoint import checkpoint, checkpoint_scan
from .custom import custom_gradient
from .function import Function, once_differentiable, stop_gradient
from .functions import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    cbrt,
    cos,
    cosh,
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
)
from .jacobians import hessian, hvp, jacobian
from .modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .ops.matrices import GaugeWarning
from .protocols import array
from .registry import Linear, NotDifferentiable, Primitive, RegisterGradient, override_gradient, primitive
from .tape import Tape, tape
from .tensor import Tensor, tensor
from .transforms import grad, jvp, linearize, value_and_grad, vjp

if TYPE_CHECKING:
    from . import numeric, optim, symbolic
    from .builders import c_, r_, vectorize
    from .checks.frameworks import check_jax, check_torch
    from .checks.gradcheck import GradcheckError, GradcheckInterrupted, gradcheck

__version__ = "0.1.0"

__all__ = [
    "AnomalyError", "Function", "GaugeWarning", "GradcheckError", "GradcheckInterrupted", "Linear",
    "NotDifferentiable", "Primitive", "RegisterGradient", "Tape", "Tensor", "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctanh", "array", "c_", "cbrt", "check_jax", "check_torch", "checkpoint", "checkpoint_scan",
    "cos", "cosh", "custom_gradient", "detect_anomaly", "enable_grad", "exp", "exp2", "expm1", "grad", "gradcheck",
    "gradients", "hessian", "hvp", "is_grad_enabled", "jacobian", "jvp", "linearize", "log", "log1p", "log2",
    "log10", "no_grad", "numeric", "once_differentiable", "optim", "override_gradient", "primitive", "profile",
    "r_", "set_grad_enabled", "sin", "sinh", "sparsity", "sqrt", "square", "stop_gradient", "symbolic", "tan", "tanh",
    "tape", "tensor", "value_and_grad", "vectorize", "vjp",
]

#: What is imported when first asked for: the checker and the SymPy module are not needed to differentiate.
_LATER = {
    "check_jax": "checks.frameworks", "check_torch": "checks.frameworks",
    "GradcheckError": "checks.gradcheck", "GradcheckInterrupted": "checks.gradcheck",
    "gradcheck": "checks.gradcheck", "numeric": "numeric", "optim": "optim",
    "c_": "builders", "r_": "builders", "vectorize": "builders",
    "profile": "profiling", "sparse": "sparse", "sparsity": "sparse", "symbolic": "symbolic", "testing": "testing",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'tapead' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f".{_LATER[name]}", __name__)
    value = getattr(module, name, module)
    globals()[name] = value
    return value
