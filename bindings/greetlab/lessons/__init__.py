"""Exercises, guesses, labs, and what checks them."""
