"""`sam local` in containers of this machine, with functions that talk to the embedded stack."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.containers.forwarder import Forwarder
from local.emulator.process import ACCESS_KEY, REGION, SECRET_KEY, client
from local.errors import EmbeddedModeError
from local.stack import ROOT

SAM = ROOT / ".venvs/sam/bin/sam"
BUILT_TEMPLATE = ROOT / ".aws-sam/build/template.yaml"
IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
ENGINE_PATH = "/api/v1/services/"
COMPATIBLE_PATH = "/compatible-mode/"
STACK = "pagewise"


class ContainerError(EmbeddedModeError):
    """No container can be run here; the message names the missing program and the way to get it."""


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)


def lacking() -> str | None:
    """The obstacle to `sam local` on this machine, in one sentence; None without one."""
    if not SAM.exists():
        return "SAM CLI is not installed in .venvs/sam: local/setup.sh sam."
    if shutil.which("docker") is None:
        return "there is no `docker` on the PATH: install Docker, or Finch or Podman with its docker command."
    asked = docker("info", "--format", "{{.OperatingSystem}}")
    if asked.returncode or not asked.stdout.strip():
        return f"no container engine answers: start it, or set DOCKER_HOST ({asked.stderr.strip()[-200:]})."
    return None


def has_image() -> bool:
    return docker("image", "inspect", IMAGE).returncode == 0


@dataclass(frozen=True)
class HostAddress:
    """A container's name for this machine, and the address to listen on for it."""

    name: str
    listen: str


def host_address() -> HostAddress:
    """Docker Desktop leads its own name to the loopback; elsewhere the bridge has an address on this machine that only
    the containers' network has."""
    if "Docker Desktop" in docker("info", "--format", "{{.OperatingSystem}}").stdout:
        return HostAddress("host.docker.internal", "127.0.0.1")
    asked = docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
    if asked.returncode or not (ranges := json.loads(asked.stdout)):
        raise ContainerError(f"The container engine has no bridge network: {asked.stderr.strip()}")
    # Older engines tell the range only; its first address is the bridge's own.
    gateway = ranges[0].get("Gateway") or str(ip_network(ranges[0]["Subnet"])[1])
    return HostAddress(gateway, gateway)


@dataclass(frozen=True)
class Sam:
    """SAM CLI with the variables of the embedded stack's functions, as containers must have them."""

    variables: Path
    functions: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        shared = ["--env-vars", str(self.variables), "--region", REGION]
        # An image that is there is taken as it is: asking a registry for a newer one fails where none is in reach.
        return [str(SAM), "local", *arguments, *shared, *(["--skip-pull-image"] if has_image() else [])]

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "SAM_CLI_TELEMETRY": "0",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
        }

    def invoke(self, function: str, event: Path, arguments: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """The function's logs go to standard error, as SAM CLI prints them; its answer is the standard output."""
        return subprocess.run(
            self.command("invoke", function, "--event", str(event.resolve()), *arguments),
            cwd=ROOT,
            env=self.environment(),
            check=False,
            stdout=subprocess.PIPE,
            text=True,
        )


@contextmanager
def sam(endpoint: str) -> Iterator[Sam]:
    """SAM CLI for the stack at this endpoint, with a way for containers to the emulator and the engine."""
    if reason := lacking():
        raise ContainerError(f"Functions cannot be run in containers here: {reason}")
    functions = function_variables(endpoint)
    engine = next(given["QWEN_BASE_URL"] for given in functions.values() if "QWEN_BASE_URL" in given)
    host = host_address()
    routes = {"": place(endpoint), ENGINE_PATH: place(engine), COMPATIBLE_PATH: place(engine)}
    with Forwarder(host.listen, routes) as forwarder, tempfile.TemporaryDirectory(prefix="pagewise-") as folder:
        address = f"http://{host.name}:{forwarder.port}"
        for given in functions.values():
            given["AWS_ENDPOINT_URL"] = address
            if "QWEN_BASE_URL" in given and is_local(engine):
                given["QWEN_BASE_URL"] = address + urlsplit(engine).path
        variables = Path(folder) / "variables.json"
        variables.write_text(json.dumps(functions), encoding="utf-8")
        yield Sam(variables, tuple(functions))


def function_variables(endpoint: str) -> dict[str, dict[str, Any]]:
    """The variables that each function of the stack was deployed with, by its logical id."""
    cloudformation, functions = client("cloudformation", endpoint), client("lambda", endpoint)
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    return {
        resource["LogicalResourceId"]: variables_of(
            functions.get_function_configuration(FunctionName=resource["PhysicalResourceId"])
        )
        for resource in resources
        if resource["ResourceType"] in {"AWS::Lambda::Function", "AWS::Serverless::Function"}
    }


def variables_of(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return dict(configuration.get("Environment", {}).get("Variables", {}))


def place(url: str) -> tuple[str, int]:
    address = urlsplit(url)
    return address.hostname or "", address.port or (443 if address.scheme == "https" else 80)


def is_local(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
