"""xDS: a control plane, and what it serves."""
