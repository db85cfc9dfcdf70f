"""The Lambda service's part that runs functions: execution environments, one invocation at a time in each.

An environment is a process of its own under AWS's runtime interface client. It is started when none is idle, kept
while warm, killed with all its child processes when an invocation times out, and replaced when it dies.
"""

import json
import logging
import os
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from math import ceil
from pathlib import Path
from queue import Empty
from typing import Any, Literal

from local.children import Children
from local.emulator.deployment import Function
from local.emulator.process import ACCESS_KEY, REGION, SECRET_KEY
from local.functions.lineage import field, grown, is_loop
from local.functions.proxies import passed_on
from local.functions.runtime_api import (
    Exited,
    Failed,
    InitializationFailed,
    Invocation,
    Ready,
    Report,
    RuntimeApi,
    Succeeded,
    Taken,
)

INITIALIZATION_SECONDS = 60.0  # Lambda gives 10 s on a processor of its own; here all share a few
DEFAULT_CONCURRENCY = max(2, os.cpu_count() or 1)  # environments of one function: more would share the same processors

# Invocations of all functions at the same time. A new account has 10, and tests run with that.
ACCOUNT_CONCURRENCY = 1000

# The compiled client of awslambdaric exists for Linux only.
RUNTIME_CLIENT = () if sys.platform == "linux" else (Path(__file__).parent / "pure_runtime_client",)

logger = logging.getLogger(__name__)

Status = Literal["success", "error", "timeout", "crash", "initialization_error"]


@dataclass(frozen=True)
class InvocationOutcome:
    request_id: str
    status: Status
    payload: bytes
    duration: float = 0.0
    initialization: float = 0.0  # of a cold start, else 0

    @property
    def succeeded(self) -> bool:
        return self.status == "success"

    def error(self) -> dict[str, Any]:
        try:
            error = json.loads(self.payload)
        except ValueError:
            return {}
        return error if isinstance(error, dict) else {}


class NotInvoked(Exception):
    """Lambda did not run the function at all."""


class Throttled(NotInvoked):
    """The account's concurrency is used up."""


class RecursiveLoop(NotInvoked):
    """The chain that leads here has been through the function too often."""


class EnvironmentGone(Exception):
    """A warm environment died before it took the invocation: another one shall."""


class Environment:
    def __init__(
        self,
        function: Function,
        python: Path,
        endpoint: str,
        children: Children,
        folder: Path,
        log: Path,
        credentials: Mapping[str, str],
    ) -> None:
        self._function = function
        self._children = children
        self._api = RuntimeApi()
        self._started = time.monotonic()
        self._initialization: float | None = None
        self._cold = True
        self.folder = folder
        temporary = folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        self._child = children.start(
            [str(python), "-m", "awslambdaric", function.handler],
            variables=lambda_variables(function, self._api.address, endpoint, temporary, folder.name)
            | dict(credentials),
            log=log,
            folder=function.code,
        )
        threading.Thread(target=self._report_exit, name=f"exit-{folder.name}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def usable(self) -> bool:
        return self._initialization is not None and self._child.poll() is None

    def wait_until_ready(self) -> bool:
        """True after the initialization, False if it failed."""
        try:
            report = self._next_report(self._started + INITIALIZATION_SECONDS)
        except Empty:
            return False
        if isinstance(report, Ready):
            self._initialization = time.monotonic() - self._started
            return True
        return False

    def invoke(self, payload: bytes, lineage: str = "") -> InvocationOutcome:
        request_id = str(uuid.uuid4())
        self._api.offer(Invocation(request_id, self._function.arn, self._function.timeout, payload, lineage))
        failure = self._wait_until_taken(request_id)
        return failure or self._wait_until_ended(request_id)

    def stop(self) -> None:
        self._children.kill(self._child)
        self._api.close()

    def _wait_until_taken(self, request_id: str) -> InvocationOutcome | None:
        give_up = time.monotonic() + INITIALIZATION_SECONDS
        while True:
            try:
                report = self._next_report(give_up)
            except Empty:
                self._initialization = None
                message = f"Initialization took longer than {INITIALIZATION_SECONDS:.0f} s"
                return InvocationOutcome(request_id, "initialization_error", error_payload("Sandbox.Timedout", message))
            match report:
                case Ready():
                    self._initialization = time.monotonic() - self._started
                case Taken():
                    return None
                case InitializationFailed(payload):
                    return InvocationOutcome(request_id, "initialization_error", payload)
                case Exited(code) if self._initialization is None:
                    return InvocationOutcome(request_id, "initialization_error", exit_payload(code))
                case Exited():
                    raise EnvironmentGone

    def _wait_until_ended(self, request_id: str) -> InvocationOutcome:
        started = time.monotonic()
        initialization, self._initialization = (self._initialization or 0.0) if self._cold else 0.0, 0.0
        self._cold = False
        give_up = started + self._function.timeout

        def outcome(status: Status, payload: bytes) -> InvocationOutcome:
            return InvocationOutcome(request_id, status, payload, time.monotonic() - started, initialization)

        while True:
            try:
                report = self._next_report(give_up)
            except Empty:
                self._children.kill(self._child)
                message = f"{request_id} Task timed out after {self._function.timeout:.2f} seconds"
                return outcome("timeout", error_payload("Sandbox.Timedout", message))
            match report:
                case Succeeded(answered, payload) if answered == request_id:
                    return outcome("success", payload)
                case Failed(answered, payload) if answered == request_id:
                    return outcome("error", payload)
                case Exited(code):
                    return outcome("crash", exit_payload(code))

    def _next_report(self, give_up: float) -> Report:
        return self._api.reports.get(timeout=max(0.0, give_up - time.monotonic()))

    def _report_exit(self) -> None:
        code = self._child.wait()
        self._children.kill(self._child)  # its own children may live on
        self._api.reports.put(Exited(code))


class FunctionService:
    """Invokes functions by name, in as many environments as there are invocations at the same time, up to a limit."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        *,
        python: Path,
        endpoint: str,
        children: Children,
        folder: Path,
        logs: Path,
        concurrency: int = DEFAULT_CONCURRENCY,
        account_concurrency: int = ACCOUNT_CONCURRENCY,
        credentials: Callable[[Function], Mapping[str, str]] = lambda _function: {},
    ) -> None:
        """`credentials`: of the function's role, where the emulator enforces permissions."""
        self._credentials = credentials
        self.concurrency = concurrency
        self.last_failure: str | None = None
        self.throttles: Counter[str] = Counter()
        self.recursive_invocations_dropped: Counter[str] = Counter()
        self._account = threading.BoundedSemaphore(account_concurrency)
        self._functions = functions
        self._python = python
        self._endpoint = endpoint
        self._children = children
        self._folder = folder
        self._logs = logs
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._idle: dict[str, list[Environment]] = {name: [] for name in functions}
        self._busy: dict[str, set[Environment]] = {name: set() for name in functions}
        # Lambda gives the replacement of an environment the disk of the one that died, as it was left.
        self._disks: dict[str, list[Path]] = {name: [] for name in functions}
        self._slots = {name: threading.BoundedSemaphore(concurrency) for name in functions}
        logs.mkdir(parents=True, exist_ok=True)
        self._record = (logs / "invocations.jsonl").open("a", encoding="utf-8")

    def invoke(
        self, function: str, payload: bytes, *, trigger: str, records: int = 1, lineage: Mapping[str, int] | None = None
    ) -> InvocationOutcome:
        """Run the function with this event; never raises for the function's own failures. Raises NotInvoked.

        `lineage`: for each function, how often the chain that leads here has been through it.
        """
        chain = grown(lineage or {}, self._functions[function].arn)
        if is_loop(chain) and not self._functions[function].may_loop:
            self.recursive_invocations_dropped[function] += 1
            raise RecursiveLoop(function)
        with self._slots[function], self._of_account(function):
            while True:
                try:
                    with self._environment(function) as environment:
                        outcome = environment.invoke(payload, field(chain))
                    break
                except EnvironmentGone:
                    continue
        self._write_down(function, outcome, trigger, records)
        return outcome

    @contextmanager
    def _of_account(self, function: str) -> Iterator[None]:
        """One of the account's concurrent invocations, without waiting for one: Lambda answers 429 at once."""
        if not self._account.acquire(blocking=False):
            self.throttles[function] += 1
            raise Throttled(function)
        try:
            yield
        finally:
            self._account.release()

    def warm(self, function: str) -> bool:
        """Start an environment ahead of need; True once it is initialized."""
        environment = self._start(function)
        if not environment.wait_until_ready():  # an invocation will fail likewise, and tell why
            environment.stop()
            return False
        with self._lock:
            self._idle[function].append(environment)
        return True

    def running(self) -> int:
        with self._lock:
            return sum(len(busy) for busy in self._busy.values())

    def pids(self, function: str) -> list[int]:
        with self._lock:
            return [environment.pid for environment in [*self._busy[function], *self._idle[function]]]

    def close(self) -> None:
        with self._lock:
            self._record.close()

    @contextmanager
    def _environment(self, function: str) -> Iterator[Environment]:
        with self._lock:
            idle = self._idle[function]
            environment = idle.pop() if idle else None
        environment = environment or self._start(function)
        with self._lock:
            self._busy[function].add(environment)
        reusable = False
        try:
            yield environment
            reusable = environment.usable
        finally:
            with self._lock:
                self._busy[function].discard(environment)
                if reusable:
                    self._idle[function].append(environment)
            if not reusable:
                environment.stop()
                with self._lock:
                    self._disks[function].append(environment.folder)

    def _start(self, function: str) -> Environment:
        with self._lock:
            left = self._disks[function].pop() if self._disks[function] else None
        return Environment(
            self._functions[function],
            self._python,
            self._endpoint,
            self._children,
            left or self._folder / f"{function}-{next(self._numbers)}",
            self._logs / "functions" / f"{function}.log",
            self._credentials(self._functions[function]),
        )

    def _write_down(self, function: str, outcome: InvocationOutcome, trigger: str, records: int) -> None:
        if not outcome.succeeded:
            error = outcome.error()
            self.last_failure = f"{function}, {outcome.status}, {error.get('errorType', 'no error type')}"
            logger.warning("%s", self.last_failure)
        line = {
            "ended": round(time.time(), 3),
            "function": function,
            "request_id": outcome.request_id,
            "outcome": outcome.status,
            "error_type": None if outcome.succeeded else outcome.error().get("errorType"),
            "trigger": trigger,
            "records": records,
            "duration_ms": round(outcome.duration * 1000, 1),
            "initialization_ms": round(outcome.initialization * 1000, 1),
            "billed_ms": ceil((outcome.duration + outcome.initialization) * 1000),  # Lambda bills both since 2025-08
        }
        with self._lock:
            if not self._record.closed:
                self._record.write(json.dumps(line) + "\n")
                self._record.flush()


def lambda_variables(
    function: Function, runtime_api: str, endpoint: str, temporary: Path, environment: str
) -> dict[str, str]:
    """A function's environment: the variables that Lambda sets, its own, and the emulator's address.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": os.environ.get("PATH", os.defpath),  # poppler is the host's here, a layer's in AWS
        "PYTHONPATH": os.pathsep.join(map(str, [*function.layers, *RUNTIME_CLIENT])),
        "TMPDIR": str(temporary),  # Lambda's /tmp, one for each environment
        "HOME": str(temporary),
        "LAMBDA_TASK_ROOT": str(function.code),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        # No session token, unlike Lambda: the emulator refuses presigned URLs that carry one it did not issue.
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": function.log_format,
        **({"AWS_LAMBDA_LOG_LEVEL": function.log_level} if function.log_format == "JSON" else {}),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": environment,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        **passed_on(os.environ),
        **function.variables,
        "_HANDLER": function.handler,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_ENDPOINT_URL": endpoint,
    }


def error_payload(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def exit_payload(code: int) -> bytes:
    how = f"signal: {-code}" if code < 0 else f"exit status {code}"
    return error_payload("Runtime.ExitError", f"Runtime exited with error: {how}")
