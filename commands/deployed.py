"""A stack that is deployed already: in the account that boto3 finds, or behind an endpoint."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from commands.errors import CommandError
from local.emulator.process import client

ClientOf = Callable[[str], Any]


LONGEST_BUCKET_NAME = 63
BUCKET_PREFIX = re.compile("[a-z][a-z0-9-]*")


class StackError(CommandError):
    """The stack or the account cannot be used; the message gives the reason and the next step."""


@dataclass(frozen=True)
class DeployedStack:
    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    client: ClientOf


def deployed_stack(name: str, endpoint: str | None) -> DeployedStack:
    """The stack with the names and settings that CloudFormation tells."""
    client_of = clients(endpoint)
    try:
        (stack,) = client_of("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"The stack {name} cannot be reached: {reason(error)}") from error
    return DeployedStack(
        name,
        {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack.get("Parameters", [])},
        client_of,
    )


def aws_account(endpoint: str | None = None, stack: str | None = None) -> str:
    """The account and the region that a deployment would go to. Raises StackError for a stack name that has no room
    there."""
    try:
        client_of = clients(endpoint)
        region = client_of("cloudformation").meta.region_name  # STS itself needs none
        number = client_of("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"No AWS account can be reached: {reason(error)}") from error
    if stack is not None:
        check_name(stack, number, region)
    return f"account {number}, {region}"


def check_name(stack: str, number: str, region: str) -> None:
    """Hold a stack's name to the length that its longest bucket name leaves, before any build or creation."""
    room = LONGEST_BUCKET_NAME - len(f"-uploads-{number}-{region}")
    if len(stack) > room:
        raise StackError(
            f"The stack name {stack} has {len(stack)} characters. In {region} at most {room} pass: buckets are named "
            f"by stack, account and region, in {LONGEST_BUCKET_NAME}. Choose a shorter one in samconfig.toml."
        )
    if not BUCKET_PREFIX.fullmatch(stack):
        raise StackError(
            f"The stack name {stack} has other characters than lower-case letters, digits and hyphens, which is all "
            "that the names of its buckets may have. Choose another in samconfig.toml."
        )


def configured_name(environment: str, samconfig: Path) -> str:
    """The stack's name in an environment of samconfig.toml."""
    known = tomllib.loads(samconfig.read_text(encoding="utf-8"))
    try:
        return str(known[environment]["global"]["parameters"]["stack_name"])
    except KeyError:
        raise StackError(f"{samconfig.name} has no environment {environment}.") from None


def clients(endpoint: str | None) -> ClientOf:
    """Clients of `make local` if the endpoint is on this machine, else of the account that the environment names."""
    if endpoint and urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1"):
        return lambda service: client(service, endpoint)
    return lambda service: boto3.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]


def reason(error: BotoCoreError | ClientError) -> str:
    match error:
        case NoRegionError():
            return "no region is set. Set AWS_DEFAULT_REGION, or one for your profile: `aws configure`."
        case NoCredentialsError():
            return "there are no credentials. Run `aws configure` or `aws sso login`, or set AWS_PROFILE."
        case ClientError() if "does not exist" in str(error):
            return "none in this account and region has this name. Name it by STACK=, or deploy it: `make deploy`."
        case _:
            return str(error)
