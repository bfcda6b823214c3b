"""The forms in which a fleet is reported: on a terminal, as JSON, as Markdown, as one file of HTML. A module a form.

What belongs here: how a `Fleet` is shown. What there is to show does not: that is `fleet` and `standing`, above.
"""
