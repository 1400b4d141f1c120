"""tapead: exact derivatives of plain NumPy programs, and proof that they are right."""

from .backward import gradients
from .modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .registry import Linear, NotDifferentiable, RegisterGradient, override_gradient, primitive
from .tape import Tape, tape
from .tensor import Tensor, array, tensor
from .transforms import grad, hessian, hvp, jacobian, jvp, linearize, value_and_grad, vjp

__version__ = "0.1.0"
