"""The embedded mode's failures.

EmbeddedModeError
├── ContainerError    no container can be run here
├── DeploymentError   the template was not deployed
├── EmulatorError     the AWS emulator did not start, or has ended
└── EngineError       the embedded engine did not start, or has ended
"""


class EmbeddedModeError(Exception):
    """The message names the failed part and its log."""
