"""Whether a store fits together: named checks, what each finds, and what of that can be repaired safely.

A check is a pure function over the rows of one execution (`executions`) or one record (`records`); its docstring says
what must hold, and how it may come that it does not. `survey` finds out which are worth a look, `subjects` reads them,
`looking` runs the checks and repairs. No check belongs here that would have to guess what was meant.
"""
