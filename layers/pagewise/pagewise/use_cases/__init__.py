"""What handlers call: one verb, one module."""
