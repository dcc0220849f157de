"""What several test files need."""

import random


def free_ip() -> str:
    """A loopback address that no other test, and no cluster (127.1 to 127.254), is likely to use."""
    return f"127.255.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
