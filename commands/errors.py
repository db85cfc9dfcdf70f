"""A command's failures, in a sentence for its user.

CommandError
├── CorrectionsError   corrections cannot be read
├── DocumentError      a path names no document that can be read
├── OutputError        the output folder cannot be written to
├── ProfileError       there is no such profile, or it is not in a profile's form
├── EventError         there is no such event or function
├── PortError          the port is taken
├── RedriveError       nothing to redrive, or the wanted document is not there
├── StackError         a stack cannot be reached, or does not answer as one
└── Stuck              no progress any more
"""


class CommandError(Exception):
    """The message names the document or stack, its fault and the next step."""
