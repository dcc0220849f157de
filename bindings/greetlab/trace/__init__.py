"""What happened: events, how they are told, checked and stepped through."""
