"""What a command could not do, in a sentence for its user.

CommandError
├── DocumentError   a path names no document that can be read
├── OutputError     the output folder cannot be written to
├── ProfileError    there is no such profile, or it is not in a profile's form
├── EventError      there is no such event or function
├── PortError       the port is taken
├── RedriveError    nothing to redrive, or what was asked for is not there
├── StackError      a stack cannot be reached, or does not answer as one
└── Stuck           nothing happens any more
"""


class CommandError(Exception):
    """The message says what happened to which document or stack, and what to do next."""
