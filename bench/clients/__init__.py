"""The clients in Python: each is a process of its own, which prints one line of JSON."""
