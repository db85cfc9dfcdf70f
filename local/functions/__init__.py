"""Lambda's part: environments, invocations, event sources, schedules."""
