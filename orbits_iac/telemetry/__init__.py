"""What a worker shows of itself: metrics, spans, whether it is well, and logs that say which execution they are of.

Nothing here decides anything, and nothing else needs it: a worker without it, or without OpenTelemetry, works all the
same. OpenTelemetry is imported in `exporting` and `tracing` alone, when somebody asks for what they do.

    table      every metric: name, unit, labels and what it means
    counting   what is counted while the engine, workers and the store work
    levels     what is read when somebody looks: of the worker in memory, of the store now and then
    exporting  both, through OpenTelemetry, for Prometheus and for whatever else is set up
    tracing    a span for each execution and step
    health     whether the process is alive, and whether it is ready
    serving    /healthz, /readyz and /metrics over HTTP
    observing  these put together, for the life of a worker
    logs       lines with the execution and tenant that they are of
"""
