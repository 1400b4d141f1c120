"""SciPy's functions on tensors: ``linalg``, ``signal``, ``sparse``, ``special`` and ``stats``.

They need SciPy, ``pip install "tapead[scipy]"``. The ufuncs of ``scipy.special`` and the products ``A @ x`` of
``scipy.sparse`` take tensors as they are; the other functions make arrays of their arguments, and raise an error that
names the function in here to use instead.
"""
