"""The running stack: emulator, deployed template, functions, and all that triggers them. Starts and stops them all."""

import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.children import Children
from local.emulator.deployment import Deployment, deploy
from local.emulator.process import Emulator
from local.emulator.roles import Roles
from local.functions.asynchronous_invocations import RETRY_DELAYS, AsynchronousInvocations
from local.functions.bucket_notifications import BucketNotifications
from local.functions.environments import ACCOUNT_CONCURRENCY, DEFAULT_CONCURRENCY, FunctionService
from local.functions.event_sources import Faults, QueuePoller
from local.functions.schedules import Scheduler
from local.http_api import HttpApi
from local.jwt_authorizer import JwtAuthorizer

ROOT = Path(__file__).resolve().parent.parent
EMULATOR_PYTHON = ROOT / ".venvs/emulator/bin/python"
FUNCTIONS_PYTHON = ROOT / ".venvs/functions/bin/python"

# Deployed where the parameter Api is true. Its own issuer is nobody here: HttpApi stands in place of the authorizer.
API_FUNCTION = "ReviewFunction"
API_PARAMETERS = {"Api": "true", "ApiIssuer": "http://127.0.0.1", "ApiClient": "local"}

MESSAGE_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

Trigger = QueuePoller | BucketNotifications | Scheduler


class Stack:
    """The emulator starts with the object; `start` deploys the template and begins to run functions."""

    def __init__(
        self,
        children: Children,
        template: Path,
        *,
        logs: Path,
        name: str = "pagewise",
        parameters: Mapping[str, str] | None = None,
        port: int | None = None,
        faults: Faults | None = None,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        concurrency: int = DEFAULT_CONCURRENCY,
        account_concurrency: int = ACCOUNT_CONCURRENCY,
        visibility_timeout: int | None = None,
        enforce_permissions: bool = False,
        api_port: int = 0,
        emulator_python: Path = EMULATOR_PYTHON,
        functions_python: Path = FUNCTIONS_PYTHON,
    ) -> None:
        self.logs = logs
        self.deployment: Deployment
        self.service: FunctionService
        self.roles: Roles | None = None
        self.api: HttpApi | None = None
        self._children = children
        self._template = template
        self._name = name
        self._parameters = parameters or {}
        self._faults = faults or Faults.from_environment()
        self._retry_delays = retry_delays
        self._concurrency = concurrency
        self._account_concurrency = account_concurrency
        self._visibility_timeout = visibility_timeout
        self._enforce_permissions = enforce_permissions
        self._functions_python = functions_python
        self._api_port = api_port
        self._triggers: list[Trigger] = []
        self._invocations: AsynchronousInvocations | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="pagewise-"))
        children.remove_at_end(self._folder)
        self.emulator = Emulator(
            children, emulator_python, self._folder / "emulator", logs / "emulator.log", port, enforce_permissions
        )

    @property
    def endpoint(self) -> str:
        return self.emulator.endpoint

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    def start(self) -> None:
        self.emulator.wait_until_healthy()
        self.deployment = deploy(self.emulator, self._template, self._name, self._parameters)
        if self._visibility_timeout is not None:
            self._set_visibility_timeouts(self._visibility_timeout)
        if self._enforce_permissions:
            self.roles = Roles(self.emulator, self.deployment.functions)
            self._allow_plain_http()
        self.service = FunctionService(
            self.deployment.functions,
            python=self._functions_python,
            endpoint=self.endpoint,
            children=self._children,
            folder=self._folder / "environments",
            logs=self.logs,
            concurrency=self._concurrency,
            account_concurrency=self._account_concurrency,
            credentials=self.roles.variables if self.roles else lambda _function: {},
        )
        self._run_functions()
        if reviewing := next((name for name in self.deployment.functions if API_FUNCTION in name), None):
            self.api = HttpApi(self.service, reviewing, self._api_port, self._authorizer())
            self.api.start()

    def _authorizer(self) -> JwtAuthorizer | None:
        """Of another issuer than the local one, which HttpApi's own token stands for."""
        issuer = self.deployment.parameters.get("ApiIssuer", "")
        if issuer in ("", API_PARAMETERS["ApiIssuer"]):
            return None
        return JwtAuthorizer(issuer, self.deployment.parameters["ApiClient"])

    def stop(self) -> None:
        """Stop to trigger functions; the children end with `Children.close`."""
        if self.api:
            self.api.stop()
        for trigger in self._triggers:
            trigger.stop()
        if self._invocations:
            self._invocations.stop()
            self.service.close()

    def warm(self, functions: Iterable[str]) -> None:
        """Initialize an environment of each function in the background, one after the other: first needed, first."""
        names = list(functions)
        threading.Thread(target=self._warm, args=(names,), name="warm", daemon=True).start()

    def is_idle(self) -> bool:
        """True if no message waits or is being worked on, no event waits for its retry, and no function runs."""
        sqs = self.client("sqs")
        for url in self.deployment.queue_urls:
            counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            if any(int(counts.get(name, 0)) for name in MESSAGE_COUNTS):
                return False
        pending = self._invocations.pending() if self._invocations else 0
        return not pending and not self.service.running()

    def _warm(self, functions: list[str]) -> None:
        for function in functions:
            try:
                self.service.warm(function)
            except RuntimeError:  # stopping
                return

    def _run_functions(self) -> None:
        deployment = self.deployment
        invocations = AsynchronousInvocations(
            self.service, self.emulator, deployment.asynchronous, deployment.function_arns(), self._retry_delays
        )
        triggers: list[Trigger] = [
            QueuePoller(mapping, self.service, self.emulator, self._faults) for mapping in deployment.queue_mappings
        ]
        triggers.append(Scheduler(deployment.schedules, invocations))
        if deployment.notifications_queue_url:
            triggers.append(
                BucketNotifications(
                    self.emulator,
                    deployment.notifications_queue_url,
                    deployment.notified_functions,
                    deployment.notified_queues,
                    invocations,
                    self._faults,
                )
            )
        for trigger in triggers:
            trigger.start()
        self._triggers = triggers
        self._invocations = invocations

    def _set_visibility_timeouts(self, seconds: int) -> None:
        sqs = self.client("sqs")
        for mapping in self.deployment.queue_mappings:
            sqs.set_queue_attributes(QueueUrl=mapping.queue_url, Attributes={"VisibilityTimeout": str(seconds)})

    def _allow_plain_http(self) -> None:
        """The emulator speaks no TLS here, and with permissions it enforces the policies that demand TLS."""
        s3 = self.client("s3")
        for output in ("UploadsBucket", "PagesBucket"):
            s3.delete_bucket_policy(Bucket=self.deployment.outputs[output])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
