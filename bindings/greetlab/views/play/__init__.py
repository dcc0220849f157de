"""The playground: the very core, in a browser, with nothing to install."""

from greetlab.views.play.page import document
from greetlab.views.play.playground import Playground

__all__ = ["Playground", "document"]
