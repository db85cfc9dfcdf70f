"""`./pagewise local`: the stack, ready for uploads."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from commands.console import Console, printable
from commands.errors import CommandError
from commands.profiles import put_all
from local.embedded_mode import EmbeddedMode, Options, embedded_mode
from local.emulator.process import ACCESS_KEY, REGION, SECRET_KEY, is_free
from local.emulator.published_events import PublishedEvent
from local.stack import API_PARAMETERS

USUAL_PORT = 4566
SHOWN_FACTS = ("page", "task", "pages", "status", "reason", "message", "by")


@dataclass(frozen=True)
class Service:
    logs: Path
    port: int | None = None
    parameters: Mapping[str, str] | None = None
    visibility_timeout: int | None = None
    started: float = field(default_factory=time.monotonic)


class PortError(CommandError):
    """The port that was asked for is taken."""


def serve(service: Service, console: Console) -> None:
    """Run until interrupted."""
    parameters = API_PARAMETERS | dict(service.parameters or {})
    options = Options(service.logs, parameters, chosen_port(service.port), service.visibility_timeout)
    with embedded_mode(options) as mode:
        put_all(mode.stack.client("ssm"), mode.stack.deployment.stack)
        console.print(
            introduction(mode, time.monotonic() - service.started), highlight=False, markup=False, soft_wrap=True
        )
        while True:
            for event in mode.published.receive(wait=1):
                console.print(event_line(event), highlight=False, markup=False, soft_wrap=True)
            mode.check()


def chosen_port(port: int | None) -> int | None:
    if port is None:
        return USUAL_PORT if is_free(USUAL_PORT) else None
    if not is_free(port):
        raise PortError(f"Port {port} is taken.")
    return port


def introduction(mode: EmbeddedMode, seconds: float) -> str:
    stack = mode.stack
    outputs = stack.deployment.outputs
    endpoint = stack.endpoint
    bucket = outputs["UploadsBucket"]
    engine = mode.engine.base_url if mode.engine else stack.deployment.parameters["QwenBaseUrl"]
    queues = "\n               ".join(sorted(mapping.queue_url for mapping in stack.deployment.queue_mappings))
    credentials = f"AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY}"
    return f"""\
Pagewise is ready ({seconds:.1f} s).

endpoint       {endpoint}
credentials    {credentials} AWS_DEFAULT_REGION={REGION}
uploads        s3://{bucket}/uploads/
pages          s3://{outputs["PagesBucket"]}/documents/<document id>/
results table  {outputs["ResultsTable"]}
event bus      {outputs["EventBus"]}
queues         {queues}
engine         {engine}
logs           {stack.logs}
review, API    {stack.api.address if stack.api else "none (Api=false)"}

{credentials} AWS_DEFAULT_REGION={REGION} \\
  aws --endpoint-url {endpoint} s3 cp document.pdf s3://{bucket}/uploads/ \\
  --metadata '{{"ocr-tasks": "text_recognition,table_parsing"}}'

boto3.client("s3", endpoint_url="{endpoint}", region_name="{REGION}", aws_access_key_id="{ACCESS_KEY}",
             aws_secret_access_key="{SECRET_KEY}").upload_file("document.pdf", "{bucket}", "uploads/document.pdf")

Events as they are published; Ctrl-C stops all.
"""


def event_line(event: PublishedEvent) -> str:
    detail = event.detail
    document = detail.get("document", {})
    facts = [f"{name}={detail[name]}" for name in SHOWN_FACTS if detail.get(name) is not None]
    return printable("  ".join([event.name, *(document[name] for name in ("key", "id") if name in document), *facts]))
