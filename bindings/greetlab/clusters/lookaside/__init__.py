"""Lookaside load balancing: a client that asks "whom?" before each call, and who answers."""
