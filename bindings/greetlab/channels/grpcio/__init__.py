"""PyPI's grpcio as an engine, in a process of its own."""
