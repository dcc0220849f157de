"""What several test files need."""

import random


def free_ip() -> str:
    """A loopback address that no other test is likely to use, and no cluster does (127.1-254)."""
    return f"127.255.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
