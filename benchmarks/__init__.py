"""The benchmark suite: tapead beside hand-written NumPy, HIPS autograd, PyTorch and JAX, in one run.

``python -m benchmarks`` from the checkout; ``python -m benchmarks --help`` for the rest.
``python -m benchmarks.growth`` measures how costs grow with the tape, the graphs alive and the size of arrays.
"""
