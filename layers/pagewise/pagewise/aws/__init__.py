"""Adapters of the ports to AWS, and the wiring that composes them with the core."""
