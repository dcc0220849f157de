"""The playground: the very core, in a browser, with nothing to install."""

from greetlab.views.play.page import document

__all__ = ["document"]
