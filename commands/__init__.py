"""What a person asks for, against the embedded stack or one in an AWS account: `./pagewise`."""
