"""The command line, and what stands behind its larger commands."""
