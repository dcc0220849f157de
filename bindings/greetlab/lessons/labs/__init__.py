"""The labs on a real Kubernetes, labs/NN_name in the repository: what each one's check looks at.

A module has a `LAB`; `judging` goes through its steps.
"""

from greetlab.lessons.labs.judging import Judgement, all_labs, find, judge
from greetlab.lessons.labs.lab import Lab, Wrong

__all__ = ["Judgement", "Lab", "Wrong", "all_labs", "find", "judge"]
