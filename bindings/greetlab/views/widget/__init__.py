"""The animated request flow: `gl.Flow(trace)`."""

from greetlab.views.widget.flow import Flow

__all__ = ["Flow"]
