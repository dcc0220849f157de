"""What there is to look at: plots, the animated flow, the terminal's strips."""
