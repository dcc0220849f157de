"""The project's benchmark: us against real peers, in the same run."""
