"""The durable engine: what a step's journal means, how an execution goes on, and what it does when something fails.

The engine's one operation for whoever hands out work is `Engine.advance`. It knows a store by its contract alone and
never imports a dispatcher: who advances which execution, and when, is decided outside.

    loop        the event loop that definitions run on
    run         one execution in memory: its definition and its journal
    flow        what a definition's `self.execution` is
    attempts    running an Action: main, watch, retry, timeout
    requests    asking for a Resource's command: create, join or queue
    commands    what update, cycle, rollback and uninstall do around their hooks
    rollback    bringing children back, or removing what was made
    ending      the one transaction that ends an execution
    preview     what an update would do
    engine      the parts put together: advance
"""
