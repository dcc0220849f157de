"""The main job: the problem, its cure and what the cure costs, measured on real sockets.

story.py measures and judges, screen.py tells it in a terminal, folder.py writes it to disk.
"""

from greetlab.commands.demo.folder import write_folder
from greetlab.commands.demo.screen import Screen
from greetlab.commands.demo.story import Story, tell

__all__ = ["Screen", "Story", "tell", "write_folder"]
