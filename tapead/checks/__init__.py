"""The checker: what `gradcheck` compares, how it judges, and what it reports.

``gradcheck`` (what it is given made uniform by ``arguments``) asks the ``legs`` for derivatives, checks the exact
``contract``, and compares entry by entry (``comparison``) or by ``projections`` where there are many. ``evidence`` asks
SymPy, the complex step and mpmath where differences cannot decide, ``rounding`` tells errors of rounding from those of
rules; ``judging`` and ``kinks`` decide, ``elsewhere`` tries other points, ``accuracy`` warns of digits that the
function loses by itself, ``culprit`` finds the wrong rule, ``report`` says so.
"""
