"""The model account's requests and tokens a minute, shared by all functions."""
