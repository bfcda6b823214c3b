"""The durable engine: what a step's journal means, how an execution goes on, and what it does when something fails.

The engine's one operation for whoever hands out work is `Engine.advance`. It knows a store by its contract alone and
never imports a dispatcher: who advances which execution, and when, is decided outside.

The parts put together
    engine        advance; what is in memory
    clock         time, injected

One execution
    run           its course: from a claim until it parks or ends
    pages         its journal in memory, and what of that is to be written
    starting      beginning steps once their beginning is durable
    attempts      running an Action: main, watch, timeout
    outcomes      handing out what has arrived, numbered; and again on a re-run
    inbox         messages: a child ended, a cancel, an event
    events        sending events into inboxes
    waiting       which event ends which wait
    settling      the end of what is still under way, before an ending
    ending        the one transaction that ends it

Its definition
    loop          the event loop that definitions run on
    flow          what `self.execution` is in them
    request       one `do`
    naming        the key of a `do`, the identity of the Resource that it names
    above         where a definition stands while it runs

Resources
    commands      what update, cycle, rollback and uninstall do around their hooks
    requests      asking for a command: create, join or queue
    rings         who waits for whom in a circle
    children      cycling, restoring and uninstalling them without their code
    revisions     making one, reading one
    schedules     a record's, from slot to slot

What is not there
    unbuilt       what the signatures admit and this version refuses by name

Previews
    preview       what an update would do, by reading alone
    preview_flow  what `self.execution` is there
"""
