"""The checker: what `gradcheck` compares, how it judges, and what it reports.

``gradcheck`` asks the ``legs`` for derivatives, checks the exact ``contract``, and compares entry by entry
(``comparison``) or by ``projections`` where there are many; ``judging`` and ``kinks`` decide, ``culprit`` finds the
wrong rule, ``report`` says so.
"""
