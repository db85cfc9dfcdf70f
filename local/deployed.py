"""A stack that is deployed already: in the account that boto3 finds, or behind an endpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from local.emulator import client

ClientOf = Callable[[str], Any]


class StackError(Exception):
    """The stack or the account cannot be used; the message says why, and what to do."""


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


def account(endpoint: str | None = None) -> str:
    """The account and the region that a deployment would go to."""
    try:
        client_of = clients(endpoint)
        region = client_of("cloudformation").meta.region_name  # STS itself needs none
        return f"account {client_of('sts').get_caller_identity()['Account']}, {region}"
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"No AWS account can be reached: {reason(error)}") from error


def clients(endpoint: str | None) -> ClientOf:
    """Clients of `make local` if the endpoint is on this machine, else of whatever account the environment names."""
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
            return "none in this account and region has this name. Say which by STACK=, or deploy it: `make deploy`."
        case _:
            return str(error)
