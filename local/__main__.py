"""Pagewise on this machine.

python -m local run --doc PATH     documents in, their text out
python -m local serve              the stack stays, for any S3 client
python -m local engine --port N    the embedded engine alone
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

STARTED = time.monotonic()  # before the imports that take longest
NOT_RUN = 3
SAMPLES = Path("events/samples")
SERVE_LOGS = Path(".cache/local/logs")


def main() -> int:
    arguments = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    if arguments.command == "engine":
        return run_engine(arguments.port)
    return run_or_serve(arguments)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description="Pagewise on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="documents in, their text out")
    run.add_argument("--doc", type=Path, default=SAMPLES, help="a document or a folder of documents")
    run.add_argument("--tasks", help="comma-separated, or: all (default: the stack's DefaultTasks)")
    run.add_argument("--profile", help="a named configuration")
    run.add_argument("--out", type=Path, default=Path("out"), help="the output folder (default: out)")
    run.add_argument(
        "--patience", type=float, default=1800.0, metavar="SECONDS", help="give up after so long without any progress"
    )
    serve = commands.add_parser("serve", help="the stack stays, for any S3 client")
    serve.add_argument("--port", type=int, help="of the endpoint (default: 4566, or any if that is taken)")
    serve.add_argument("--logs", type=Path, default=SERVE_LOGS)
    for command in (run, serve):
        command.add_argument(
            "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a parameter of template.yaml"
        )
    engine = commands.add_parser("engine", help="the embedded engine alone")
    engine.add_argument("--port", type=int, required=True)
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


def run_or_serve(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from local.deployment import DeploymentError
    from local.embedded_engine import EngineError
    from local.emulator import EmulatorError
    from local.run import Order, Stuck, run
    from local.serve import PortError, Service, serve
    from local.uploads import DocumentError

    console = Console()
    parameters = dict(parameter.split("=", 1) for parameter in arguments.parameter)
    try:
        if arguments.command == "run":
            return run(
                Order(
                    documents=arguments.doc,
                    output=arguments.out,
                    tasks=arguments.tasks,
                    profile=arguments.profile,
                    parameters=parameters,
                    patience=arguments.patience,
                    started=STARTED,
                ),
                console,
            )
        serve(Service(logs=arguments.logs, port=arguments.port, parameters=parameters, started=STARTED), console)
    except (DocumentError, EmulatorError, EngineError, DeploymentError, PortError, Stuck) as error:
        print(error, file=sys.stderr)
        return NOT_RUN
    except SystemExit as interrupted:
        # Ctrl-C is how `serve` ends.
        return (
            0
            if arguments.command == "serve" and interrupted.code == 128 + signal.SIGINT
            else int(interrupted.code or 0)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
