"""The engine's side: the question, its way to the engine, and the meaning of the answer."""
