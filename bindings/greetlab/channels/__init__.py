"""A client's channel to a service, its policies, and what became of its calls."""
