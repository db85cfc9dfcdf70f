"""One function in a container, as SAM CLI runs it."""
