"""What users subclass: Action, Workflow, Resource, Managed, their options, and what `self.execution` offers.

Steps are pure declarations: they import `model` only. What runs them is bound to them by the engine, behind the
abstract classes in `execution`.
"""
