"""The engine's side: what is asked, how it travels, and what the answer means."""
