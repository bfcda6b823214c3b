"""The durable engine: what a step's journal means, how an execution goes on, and what it does when something fails.

The engine's one operation for whoever hands out work is `Engine.advance`. It knows a store by its contract alone and
never imports a dispatcher: who advances which execution, and when, is decided outside.

The parts put together
    engine        advance; what is in memory
    clock         time, injected
    resting       what waits in memory, and how much of it

One execution
    run           what of it is in memory
    course        how it goes on: from a claim until it parks or ends
    broken_off    when the store failed under it: what it knows beyond that
    pages         its journal in memory, and what of that is to be written
    starting      beginning steps once their beginning is durable
    attempts      running an Action: main, watch, on_interrupted
    limits        until when an attempt, and all attempts, may take
    attempting    attempts at what is a definition of its own
    outcomes      handing out what has arrived, numbered; and again on a re-run
    inbox         messages: a child ended, an event, what people want
    repeating     a step again and again, without growing
    forgetting    deleting the executions of what was repeated
    events        sending events into inboxes
    waiting       which event ends which wait
    pausing       beginning nothing more until somebody says so
    settling      the end of what is still under way, before an ending
    undo          taking back what was done, from the journal
    ending        the one transaction that ends it

What people do to one
    operations    pause, resume, cancel, end, set a handle
    replaying     let it go on again after its end
    steps_of      finding a step by its path or name

Its definition
    loop          the event loop that definitions run on
    outside       what may not be done on it: I/O, and waiting by blocking
    flow          what `self.execution` is in them
    calls         where in the user's code a `do` stands
    wanted        what a `do` was called with
    request       what it becomes
    returned      what a hook returned, as it is recorded
    naming        the key of a `do`, the identity of the Resource that it names
    names         what a step was called before it was renamed
    above         where a definition stands while it runs
    nested        definitions within a definition

Resources
    commands      what update, cycle, rollback and uninstall do around their hooks
    requests      asking for a command: create, join or queue
    placing       where a record is, and when it may be elsewhere
    letting_go    taking that back
    sharing       what several users of one record may ask of it
    rings         who waits for whom in a circle
    children      cycling and uninstalling them without their code
    restoring     bringing them back; removing what a failed update made
    passed        the steps of no return that they cannot be brought back over
    references    where values came from: they follow what is made anew
    adopting      taking what was there before into a record
    revisions     making one, reading one
    schedules     a record's, from slot to slot

What is not there
    unbuilt       what the signatures admit and this version refuses by name

Previews and plans
    preview             what a step would do, by reading alone
    preview_definition  the preview of one definition
    preview_flow        what `self.execution` is there
    ahead               the same of children, while their parent goes on
    preview_records     what removing, going back or looking would do, from records alone
    approving           holding an execution to the plan that was approved
    unapproved          steps that it does not show, which wait for somebody
    pruning             removing what an update no longer does
    losses              what would be lost, and has to be accepted by name
"""
