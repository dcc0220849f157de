"""The playground: the very core, in a browser, with nothing to install."""

from greetlab.views.play.links import fragment_of, worlds_of
from greetlab.views.play.page import document, site, write_site
from greetlab.views.play.playground import Playground
from greetlab.views.play.scenes import Scene, scenes

__all__ = [
    "Playground",
    "Scene",
    "document",
    "fragment_of",
    "scenes",
    "site",
    "worlds_of",
    "write_site",
]
