"""Pagewise on this machine.

python -m local run --doc PATH     documents in, their text out
python -m local serve              the stack stays, for any S3 client
python -m local engine --port N    the embedded engine alone
python -m local redrive --document ID    failed page jobs again, or --all
python -m local invoke FUNCTION EVENT   one function in a container, with one event
python -m local profile NAME       a profile into a stack's parameters
python -m local submit --doc PATH  documents to a deployed stack, their text back
python -m local account            which account and region a deployment goes to
python -m local empty              what a deployed stack's buckets hold, deleted
"""

import argparse
import logging
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local.console import complain, console, printable_lines, tell
from local.proxies import spare_this_machine

STARTED = time.monotonic()  # before the imports that take longest
NOT_RUN = 3
SAMPLES = Path("events/samples")
SERVE_LOGS = Path(".cache/local/logs")
INVOKE_LOGS = Path(".cache/invoke/logs")


def main() -> int:
    arguments = parse_arguments()
    spare_this_machine()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup's wish
            signal.signal(number, interrupt)
    if arguments.command == "engine":
        return run_engine(arguments.port)
    if arguments.command == "redrive":
        return run_redrive(arguments)
    if arguments.command == "profile":
        return put_profile(arguments)
    if arguments.command in ("submit", "empty", "account"):
        return with_deployed_stack(arguments)
    return run_or_serve(arguments)


class Parser(argparse.ArgumentParser):
    """Ends with the exit code that says that nothing was run: argparse's own, 2, says that a document was rejected."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(NOT_RUN, printable_lines(f"{self.prog}: {message}\n"))


def named(text: str) -> str:
    """What must be said. A shell variable that is not set comes as nothing, which as a path would be this folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty: say which")
    return text


def named_path(text: str) -> Path:
    return Path(named(text))


def parse_arguments() -> argparse.Namespace:
    parser = Parser(prog="python -m local", description="Pagewise on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="documents in, their text out")
    serve = commands.add_parser("serve", help="the stack stays, for any S3 client")
    serve.add_argument("--port", type=int, help="of the endpoint (default: 4566, or any if that is taken)")
    serve.add_argument("--logs", type=Path, default=SERVE_LOGS)
    for command in (run, serve):
        command.add_argument(
            "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a parameter of template.yaml"
        )
        command.add_argument(
            "--visibility-timeout",
            type=int,
            metavar="SECONDS",
            help="of all queues, in place of the template's: what a killed function worked on returns sooner",
        )
    invoke = commands.add_parser("invoke", help="one function in a container, with one event")
    invoke.add_argument("function", help="its logical id in template.yaml, such as SplitterFunction")
    invoke.add_argument("event", help="a file, or a name of events/, such as s3-put-pdf")
    invoke.add_argument("--endpoint", help="of a running stack (default: that of `make local`, or a new one)")
    invoke.add_argument("--logs", type=Path, default=INVOKE_LOGS)
    submit = commands.add_parser("submit", help="documents to a deployed stack, their text back")
    for command in (run, submit):
        command.add_argument("--doc", type=named_path, default=SAMPLES, help="a document or a folder of documents")
        command.add_argument("--tasks", help="comma-separated, or: all (default: the stack's DefaultTasks)")
        command.add_argument("--profile", help="a named configuration")
        command.add_argument("--out", type=named_path, default=Path("out"), help="the output folder (default: out)")
        command.add_argument(
            "--patience",
            type=float,
            default=1800.0,
            metavar="SECONDS",
            help="give up after so long without any progress",
        )
    empty = commands.add_parser("empty", help="delete what a deployed stack's buckets hold")
    empty.add_argument("--confirmed", default="", metavar="STACK", help="the stack's name once more")
    of_deployment = commands.add_parser("account", help="which account and region a deployment goes to")
    of_deployment.add_argument("--environment", help="of samconfig.toml: whether its stack's name has room there")
    for command in (submit, empty):
        command.add_argument("--stack", default="pagewise")
        command.add_argument("--endpoint", help="of an embedded stack (default: AWS)")
    profile = commands.add_parser("profile", help="put a profile of profiles/*.json into a stack")
    profile.add_argument("name", type=named)
    profile.add_argument("--stack", default="pagewise")
    profile.add_argument("--endpoint", help="of an embedded stack (default: AWS)")
    engine = commands.add_parser("engine", help="the embedded engine alone")
    engine.add_argument("--port", type=int, required=True)
    redrive = commands.add_parser("redrive", help="failed page jobs again, of a document or of all")
    which = redrive.add_mutually_exclusive_group(required=True)
    which.add_argument("--document", metavar="ID", help="its id, as in the receipt and the events")
    which.add_argument("--all", action="store_true", help="all documents that have failed page jobs")
    redrive.add_argument("--page", type=int, help="of this page only")
    redrive.add_argument("--task", help="of this task only")
    redrive.add_argument("--reason", help="that failed for this reason only, as in the receipt")
    redrive.add_argument("--stack", default="pagewise", help="the stack's name (default: pagewise)")
    redrive.add_argument("--endpoint", metavar="URL", help="of `make local`; without it the stack is in your account")
    arguments = parser.parse_args()
    for parameter in getattr(arguments, "parameter", []):
        if "=" not in parameter:
            parser.error(f"--parameter {parameter}: NAME=VALUE is expected")
    return arguments


def interrupt(number: int, _: FrameType | None) -> None:
    """End by unwinding, once: what ends the children shall not be interrupted itself."""
    for following in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(following, signal.SIG_IGN)
    raise SystemExit(128 + number)


def run_engine(port: int) -> int:
    from local.embedded_mode import ENGINE_PYTHON
    from local.stack import ROOT

    os.chdir(ROOT)
    os.execv(ENGINE_PYTHON, [str(ENGINE_PYTHON), "-m", "local.engine", "--port", str(port)])  # noqa: S606  that is the point


def run_redrive(arguments: argparse.Namespace) -> int:
    from local.deployed import StackError
    from local.redrive import RedriveError, Wish, redrive

    try:
        wish = Wish(
            None if arguments.all else arguments.document,
            arguments.page,
            arguments.task,
            arguments.reason,
            arguments.stack,
            arguments.endpoint,
        )
        for line in redrive(wish):
            tell(line)
    except (RedriveError, StackError) as error:
        complain(error)
        return NOT_RUN
    return 0


def put_profile(arguments: argparse.Namespace) -> int:
    from local.deployed import StackError
    from local.profiles import ProfileError, put

    try:
        tell(put(arguments.name, arguments.stack, arguments.endpoint))
    except (ProfileError, StackError) as error:
        complain(error)
        return NOT_RUN
    return 0


def with_deployed_stack(arguments: argparse.Namespace) -> int:
    from local.deployed import StackError, account, configured_name, deployed_stack
    from local.outcome import OutputError
    from local.stack import ROOT
    from local.submit import Submission, empty_buckets, submit
    from local.uploads import DocumentError

    try:
        if arguments.command == "submit":
            order = Submission(
                documents=arguments.doc,
                output=arguments.out,
                stack=arguments.stack,
                endpoint=arguments.endpoint,
                tasks=arguments.tasks,
                profile=arguments.profile,
                patience=arguments.patience,
            )
            return submit(order, console())
        if arguments.command == "account":
            environment = arguments.environment
            tell(account(stack=configured_name(environment, ROOT / "samconfig.toml") if environment else None))
            return 0
        deleted = empty_buckets(deployed_stack(arguments.stack, arguments.endpoint), arguments.confirmed)
        tell(f"{deleted} versions of objects deleted from the buckets of {arguments.stack}.")
    except (DocumentError, OutputError, StackError) as error:
        complain(error)
        return NOT_RUN
    return 0


def run_or_serve(arguments: argparse.Namespace) -> int:
    from local.containers import ContainerError
    from local.deployment import DeploymentError
    from local.embedded_engine import EngineError
    from local.emulator import EmulatorError
    from local.invoke import EventError, Invocation, invoke
    from local.outcome import OutputError
    from local.profiles import ProfileError, profile_text
    from local.run import Order, Stuck, run
    from local.serve import PortError, Service, serve
    from local.uploads import DocumentError

    parameters = dict(parameter.split("=", 1) for parameter in getattr(arguments, "parameter", []))
    expected = (
        ContainerError,
        DeploymentError,
        DocumentError,
        EmulatorError,
        EngineError,
        EventError,
        OutputError,
        PortError,
        ProfileError,
        Stuck,
    )
    try:
        if arguments.command == "run":
            if arguments.profile:
                profile_text(arguments.profile)  # one that does not exist would silently be none
            return run(
                Order(
                    documents=arguments.doc,
                    output=arguments.out,
                    tasks=arguments.tasks,
                    profile=arguments.profile,
                    parameters=parameters,
                    patience=arguments.patience,
                    visibility_timeout=arguments.visibility_timeout,
                    started=STARTED,
                ),
                console(),
            )
        if arguments.command == "invoke":
            return invoke(Invocation(arguments.function, arguments.event, arguments.logs, arguments.endpoint))
        serve(
            Service(
                logs=arguments.logs,
                port=arguments.port,
                parameters=parameters,
                visibility_timeout=arguments.visibility_timeout,
                started=STARTED,
            ),
            console(),
        )
    except expected as error:
        complain(error)
        return NOT_RUN
    except SystemExit as interrupted:
        if arguments.command == "run":
            complain(f"Interrupted. What had ended before is in {arguments.out}/.")
        ctrl_c = 128 + signal.SIGINT
        return 0 if arguments.command == "serve" and interrupted.code == ctrl_c else int(interrupted.code or 0)
    except Exception as error:  # whatever it is, exit code 1 would say that a page has failed
        if logging.getLogger().handlers:
            logging.getLogger(__name__).exception("the run ended")
        complain(f"The pipeline could not run. {type(error).__name__}: {error}")
        return NOT_RUN
    return 0


if __name__ == "__main__":
    sys.exit(main())
