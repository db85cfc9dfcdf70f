"""The AWS emulator, and the template deployed into it."""
