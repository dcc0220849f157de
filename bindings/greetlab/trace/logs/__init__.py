"""People's own logs as traces: what grpc-go and C-core write when they are asked to.

    GRPC_GO_LOG_SEVERITY_LEVEL=info GRPC_GO_LOG_VERBOSITY_LEVEL=99       (grpc-go)
    GRPC_VERBOSITY=debug GRPC_TRACE=client_channel,subchannel,...        (C++, Python, Ruby, PHP)

Nobody promises that a log line stays as it is, nor that it tells all: so each fact of such a trace
is *inferred*, and what a log does not say is not made up.
"""

from greetlab.trace.logs.read import C_CORE_TRACERS, GO_VARIABLES, load

__all__ = ["C_CORE_TRACERS", "GO_VARIABLES", "load"]
