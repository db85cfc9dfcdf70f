"""The use cases that handlers call: one verb, one module."""
