"""The animated request flow: `gl.Flow(trace)`."""

from greetlab.widget.flow import Flow

__all__ = ["Flow"]
