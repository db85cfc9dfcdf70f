"""A person's commands, against the embedded stack or one in an AWS account: `./pagewise`."""
