"""What the embedded mode could not do.

EmbeddedModeError
├── ContainerError    no container can be run here
├── DeploymentError   the template was not deployed
├── EmulatorError     the AWS emulator did not start, or has ended
└── EngineError       the embedded engine did not start, or has ended
"""


class EmbeddedModeError(Exception):
    """The message says which part failed, and where its log is."""
