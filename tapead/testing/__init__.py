"""For test suites: strategies of arrays with hard values, a search for points where a derivative fails, a decorator.

Needs Hypothesis: ``pip install "tapead[test]"``. The pytest plugin (fixture ``gradcheck``, option ``--tapead-seed``)
is in :mod:`tapead.pytest_plugin` and needs pytest alone.
"""

try:
    import hypothesis as _hypothesis  # noqa: F401 -- what everything here is made of
except ImportError as error:
    raise ImportError('tapead.testing needs Hypothesis, which is not installed: pip install "tapead[test]"') from error

from .decorator import gradchecked
from .search import Counterexample, find_counterexample
from .strategies import arrays, broadcastable_shapes, calls, dtypes, numbers, shapes

__all__ = ["Counterexample", "arrays", "broadcastable_shapes", "calls", "dtypes", "find_counterexample", "gradchecked",
           "numbers", "shapes"]
