"""Clients of the emulator in which template.yaml is deployed, and the names of what it made."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from local.emulator.deployment import deploy
from local.emulator.process import Emulator
from local.stack import API_PARAMETERS, ROOT
from pagewise.model import DocumentId


def new_document_id() -> DocumentId:
    """In the form of all: the API's tests see what others have left in the table."""
    return DocumentId(base64.b32encode(secrets.token_bytes(20)).decode().lower())


class Deployed:
    """With the API: its function is tested too."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        deploy(emulator, ROOT / "template.yaml", "pagewise", API_PARAMETERS)
        stack = self.client("cloudformation").describe_stacks(StackName="pagewise")["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    def empty_queues(self) -> None:
        """Take what earlier tests left."""
        sqs = self.client("sqs")
        for url in sqs.list_queues()["QueueUrls"]:
            sqs.purge_queue(QueueUrl=url)

    def variables(self, function: str) -> dict[str, str]:
        """A function's resolved environment variables; `function` is its logical id."""
        stack = self.client("cloudformation")
        name = stack.describe_stack_resource(StackName="pagewise", LogicalResourceId=function)["StackResourceDetail"][
            "PhysicalResourceId"
        ]
        found: dict[str, str] = self.client("lambda").get_function_configuration(FunctionName=name)["Environment"][
            "Variables"
        ]
        return found
