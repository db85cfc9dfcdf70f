"""`./pagewise`: the front door. Each command parses its words, calls one function and ends with an exit code.

0   every page job was recognized, or the command did its work
1   some page jobs failed
2   a document was rejected
3   the command could not run: its words are off, or a part of the pipeline is not there
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

STARTED = time.monotonic()  # before the imports that take longest

import click  # noqa: E402

from commands.console import complain, console, print_lines, tell  # noqa: E402
from commands.errors import CommandError  # noqa: E402
from local.errors import EmbeddedModeError  # noqa: E402
from local.functions.proxies import spare_this_machine  # noqa: E402

if TYPE_CHECKING:
    from commands.uploads import RequestedOptions

NOT_RUN = 3
ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "events/samples"
SERVE_LOGS = ROOT / ".cache/local/logs"
INVOKE_LOGS = ROOT / ".cache/invoke/logs"
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Named(click.ParamType[Any]):
    """A value that must not be empty. An unset shell variable comes as an empty one; as a path, that is this folder."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.strip():
            self.fail("is empty: say which", param, ctx)
        return value


NAMED = Named()


class NamedPath(Named):
    """A path as the file system has it: names of any bytes pass."""

    name = "path"

    def convert(  # type: ignore[override]
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        return Path(super().convert(str(value), param, ctx))


ANY_PATH = NamedPath()
A_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        tell(f"pagewise {version()}")
        context.exit()


@click.group(context_settings=CONTEXT)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=show_version,
              help="Show the version and exit.")  # fmt: skip
def cli() -> None:
    """Documents in, their text out: on this machine, or on a stack in your AWS account."""


# ── options that several commands share ──────────────────────────────────────────────────────────────────────────────


def together(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


of_what_is_asked = together(
    click.option("--tasks", metavar="A,B", help="Tasks by their own names, or: all. [default: the stack's]"),
    click.option("--profile", metavar="NAME", help="A named configuration of profiles/."),
    click.option("--schema", type=A_FILE, help="JSON of the fields to extract, for key_information_extraction."),
    click.option("--prompt", type=NAMED, metavar="TEXT", help="In each task's own place, or JSON: texts by task."),
    click.option("--min-pixels", type=int, metavar="N", help="The model enlarges a smaller image. [default: 3072]"),
    click.option("--max-pixels", type=int, metavar="N", help="Of a page: more where small text is unclear."),
    click.option("--dpi", type=int, metavar="N", help="Rendering resolution of PDF pages, 36 to 1200."),
    click.option("--logprobs/--no-logprobs", default=None, help="Whether results say how sure the model is."),
    click.option("--rotate/--no-rotate", default=None, help="Whether the engine turns skewed pages."),
    click.option("--pages-per-call", type=click.IntRange(1, 20), help="Pages asked about in one call: fields, tables."),
    click.option("--preprocessing", metavar="STEPS", help="none, or of: median, mean, equalize, deskew."),
    click.option("--outputs", metavar="A,B",
                 help="text, markdown, html, latex, tables, pdf, boxes, fields, all or none. [default: the stack's]"),
    click.option("--review-when", "review", metavar="WHEN",
                 help="A person shall look: never, doubtful, always, or 'sample 5%'. [default: the stack's]"),
    click.option("--text-layer", type=click.Choice(["prefer", "ignore"]),
                 help="prefer: a PDF page's own sound text answers at no call."),
    click.option("--lane", type=click.Choice(["live", "batch"]),
                 help="batch: half the price, within a day or more. [default: the stack's]"),
    click.option("--tag", help="Up to 256 characters of yours, echoed in every event and in the receipt."),
    click.option("--password-file", type=A_FILE, help="Its first line opens encrypted PDFs."),
)  # fmt: skip

of_documents = together(
    of_what_is_asked,
    click.option("--out", type=ANY_PATH, default=Path("out"), show_default=True, help="The output folder."),
    click.option("--patience", type=click.FloatRange(min=1), default=1800.0, metavar="SECONDS", show_default=True,
                 help="Give up after so long without any progress."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output; progress on the other."),
)  # fmt: skip

of_a_stack = together(
    click.option("--stack", default="pagewise", show_default=True, help="The stack's name."),
    click.option("--endpoint", metavar="URL", help="Of an embedded stack (./pagewise local). [default: AWS]"),
)

of_the_embedded_stack = together(
    click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Of template.yaml."),
    click.option("--visibility-timeout", type=click.IntRange(min=0), metavar="SECONDS",
                 help="Of all queues, in place of the template's: a killed function's messages return sooner."),
)  # fmt: skip


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


# make's way to name documents: a name that begins with a dash, or with a blank, is one word of an option.
named_document = click.option("--doc", "named", type=ANY_PATH, multiple=True, hidden=True)


@cli.command()
@click.argument("documents", nargs=-1, type=ANY_PATH, metavar="[DOCUMENT]...")
@named_document
@of_documents
@of_the_embedded_stack
@click.option(
    "--review",
    "reviews",
    is_flag=True,
    help="Open the review page for what is doubtful (or as --review-when says), until nothing waits.",
)
def run(
    documents: tuple[Path, ...],
    named: tuple[Path, ...],
    reviews: bool,
    parameters: tuple[str, ...],
    visibility_timeout: int | None,
    **words: Any,
) -> int:
    """Recognize documents, or folders of them, on this machine; without any, the project's own samples.

    Results are in OUT/<document>/: receipt.json, pages/, results/, and the outputs with their manifest.json.
    """
    from commands.run import Order, run

    order = Order(
        documents=(*documents, *named) or (SAMPLES,),
        output=words["out"],
        options=options_of(words),
        parameters=named_values(parameters),
        patience=words["patience"],
        visibility_timeout=visibility_timeout,
        as_json=words["as_json"],
        review=reviews,
        started=STARTED,
    )
    try:
        return run(order, console(to_errors=words["as_json"]))
    except SystemExit:
        complain(f"Interrupted. What had ended before is in {order.output}/.")
        raise


@cli.command()
@click.argument("documents", nargs=-1, type=ANY_PATH, metavar="DOCUMENT...")
@named_document
@of_documents
@of_a_stack
def submit(documents: tuple[Path, ...], named: tuple[Path, ...], stack: str, endpoint: str | None, **words: Any) -> int:
    """Upload documents to a deployed stack, show its progress, and fetch the results, as `run` does."""
    from commands.submit import Submission, submit

    submission = Submission(
        documents=(*documents, *named) or (SAMPLES,),
        output=words["out"],
        options=options_of(words),
        stack=stack,
        endpoint=endpoint,
        patience=words["patience"],
        as_json=words["as_json"],
    )
    return submit(submission, console(to_errors=words["as_json"]))


@cli.command()
@click.argument("documents", nargs=-1, type=ANY_PATH, metavar="DOCUMENT...")
@click.option(
    "--outputs",
    metavar="A,B",
    default="text,markdown",
    show_default=True,
    help="text, markdown, html, latex, tables, pdf, boxes, fields; or: all.",
)
@click.option("--no-running-lines", is_flag=True, help="Leave out headers and footers that come on every page.")
@click.option("--password-file", type=A_FILE, help="Its first line opens encrypted PDFs.")
@click.option(
    "--out", type=ANY_PATH, default=Path("out"), show_default=True, help="The output folder of `run` or `submit`."
)
def assemble(
    documents: tuple[Path, ...], outputs: str, no_running_lines: bool, password_file: Path | None, out: Path
) -> int:
    """Make outputs of documents with results in OUT already; nothing is recognized again.

    DOCUMENT is a file that was recognized, or its folder in OUT.
    """
    from commands.assemble import AssemblyRequest, assemble

    if not documents:
        raise click.UsageError("Name a DOCUMENT.")
    password = password_in(password_file)
    return assemble(AssemblyRequest(documents, outputs, out, password, running_lines=not no_running_lines))


@cli.command()
@click.argument("documents", nargs=-1, type=ANY_PATH, metavar="[DOCUMENT]...")
@named_document
@of_what_is_asked
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Of template.yaml.")
@click.option("--stack", help="By a deployed stack's parameters and profiles. [default: template.yaml's, profiles/]")
@click.option("--endpoint", metavar="URL", help="Of an embedded stack (./pagewise local), with --stack. [default: AWS]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def estimate(documents: tuple[Path, ...], named: tuple[Path, ...], parameters: tuple[str, ...], stack: str | None,
             endpoint: str | None, as_json: bool, **words: Any) -> int:  # fmt: skip
    """Estimate documents before they are uploaded: pages, tokens and money by task, likely and at most.

    The caps (MaxDocumentCost, MaxDailyCost) hold the most against a document.
    """
    from commands.estimate import Inquiry, estimate

    inquiry = Inquiry(
        documents=(*documents, *named) or (SAMPLES,),
        options=options_of(words),
        parameters=named_values(parameters),
        stack=stack or ("pagewise" if endpoint else None),
        endpoint=endpoint,
        as_json=as_json,
    )
    return estimate(inquiry, console(to_errors=as_json))


@cli.command()
@click.argument("document", required=False, metavar="[DOCUMENT_ID]")
@click.option("--document", "named", hidden=True)
@click.option("--all", "every", is_flag=True, help="All documents that have failed page jobs.")
@click.option("--page", type=click.IntRange(min=1), help="Of this page only.")
@click.option("--task", help="Of this task only.")
@click.option("--reason", help="That failed for this reason only, as in the receipt.")
@of_a_stack
def redrive(document: str | None, named: str | None, every: bool, page: int | None, task: str | None,
            reason: str | None, stack: str, endpoint: str | None) -> int:  # fmt: skip
    """Do failed page jobs again, of one document or of all."""
    from commands.redrive import RedriveRequest, redrive

    document = document or named
    if bool(document) == every:
        raise click.UsageError("Say whose failed page jobs: DOCUMENT_ID, or --all for those of all documents.")
    for line in redrive(RedriveRequest(None if every else document, page, task, reason, stack, endpoint)):
        tell(line)
    return 0


@cli.command()
@of_a_stack
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def batches(stack: str, endpoint: str | None, as_json: bool) -> int:
    """List the batch lane's files of page jobs, with their states."""
    from commands.batches import batches

    for line in batches(stack, endpoint, as_json=as_json):
        tell(line)
    return 0


@cli.command()
@click.option("--since", metavar="TIME", help="Said at this time or later: 2026-11-01, or with hours, in UTC.")
@click.option("--profile", type=NAMED, metavar="NAME", help="Of documents of this profile only.")
@click.option("--all", "confirmed", is_flag=True, help="Values that a person accepted as they were, too.")
@of_a_stack
def corrections(since: str | None, profile: str | None, confirmed: bool, stack: str, endpoint: str | None) -> int:
    """Print what persons corrected beside what the machine said, as JSON Lines: docs/corrections.md.

    They hold text of the documents.
    """
    from commands.corrections import CorrectionsRequest, corrections, moment

    print_lines(corrections(CorrectionsRequest(moment(since), profile, confirmed, stack, endpoint)))
    return 0


@cli.command()
@click.argument("document", type=NAMED, metavar="DOCUMENT_ID")
@of_a_stack
def cancel(document: str, stack: str, endpoint: str | None) -> int:
    """End a document with what it has: nothing more of it is asked, and paid for."""
    from commands.endings import cancel

    tell(cancel(document, stack, endpoint))
    return 0


@cli.command()
@click.argument("document", type=NAMED, metavar="DOCUMENT_ID")
@click.option("--yes", is_flag=True, help="Nothing is asked: the document is gone for good.")
@of_a_stack
def delete(document: str, yes: bool, stack: str, endpoint: str | None) -> int:
    """Delete everything of one document, its upload too; a receipt of the deletion is left."""
    from commands.endings import delete

    if not yes:
        click.confirm(f"Delete {document} with its upload, pages, results and outputs, for good?", abort=True)
    tell(delete(document, stack, endpoint))
    return 0


# ── stacks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Of the endpoint. [default: 4566, or any if that is taken]")
@click.option("--logs", type=ANY_PATH, default=SERVE_LOGS, help="The folder of the logs.")
@of_the_embedded_stack
def local(port: int | None, logs: Path, parameters: tuple[str, ...], visibility_timeout: int | None) -> int:
    """Run the stack on this machine until Ctrl-C: upload with any S3 client."""
    from commands.serve import Service, serve

    serve(
        Service(
            logs=logs,
            port=port,
            parameters=named_values(parameters),
            visibility_timeout=visibility_timeout,
            started=STARTED,
        ),
        console(),
    )
    return 0


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), required=True)
def engine(port: int) -> int:
    """Run the embedded OCR engine alone, behind Qwen-OCR's two protocols."""
    from local.embedded_mode import ENGINE_PYTHON

    os.chdir(ROOT)
    os.execv(ENGINE_PYTHON, [str(ENGINE_PYTHON), "-m", "local.engine", "--port", str(port)])  # noqa: S606  that is the point


@cli.command()
@click.argument("function", metavar="FUNCTION")
@click.argument("event", metavar="EVENT")
@click.option(
    "--endpoint", metavar="URL", help="Of a running stack. [default: that of `./pagewise local`, or a new one]"
)
@click.option("--logs", type=ANY_PATH, default=INVOKE_LOGS, help="The folder of the logs.")
def invoke(function: str, event: str, endpoint: str | None, logs: Path) -> int:
    """Run one function in a container, as Lambda does, with one event: a file, or a name of events/."""
    from commands.invoke import ContainerInvocation, invoke

    return invoke(ContainerInvocation(function, event, logs, endpoint))


@cli.command()
@click.argument("name", type=NAMED)
@of_a_stack
def profile(name: str, stack: str, endpoint: str | None) -> int:
    """Check a profile of profiles/*.json and put it into a stack."""
    from commands.profiles import put

    tell(put(name, stack, endpoint))
    return 0


@cli.command()
@click.option("--confirmed", default="", metavar="STACK", help="The stack's name once more: nothing is asked then.")
@of_a_stack
def empty(confirmed: str, stack: str, endpoint: str | None) -> int:
    """Delete every upload, page and receipt of a stack's buckets, so that CloudFormation can delete the stack."""
    from commands.deployed import deployed_stack
    from commands.submit import empty_buckets

    found = deployed_stack(stack, endpoint)
    confirmed = confirmed or click.prompt(f"Delete {stack} with every upload, page and receipt? Its name", default="")
    tell(f"{empty_buckets(found, confirmed)} versions of objects deleted from the buckets of {stack}.")
    return 0


@cli.command()
@click.option("--environment", metavar="NAME", help="Of samconfig.toml: its stack's name is checked, too.")
def account(environment: str | None) -> int:
    """Name the AWS account and region of a deployment."""
    from commands.deployed import aws_account, configured_name

    tell(aws_account(stack=configured_name(environment, ROOT / "samconfig.toml") if environment else None))
    return 0


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script of a shell: eval "$(./pagewise completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    tell(found(cli, {}, "pagewise", "_PAGEWISE_COMPLETE").source())
    return 0


# ── from words to values, and from outcomes to exit codes ────────────────────────────────────────────────────────────


def password_in(file: Path | None) -> str | None:
    return file.read_text(encoding="utf-8").partition("\n")[0] if file else None


def options_of(words: dict[str, Any]) -> RequestedOptions:
    from commands.uploads import RequestedOptions

    return RequestedOptions(
        tasks=words["tasks"],
        profile=words["profile"],
        schema=words["schema"].read_text(encoding="utf-8") if words["schema"] else None,
        rotate=words["rotate"],
        pages_per_call=words["pages_per_call"],
        preprocessing=words["preprocessing"],
        text_layer=words["text_layer"],
        tag=words["tag"],
        outputs=words["outputs"],
        lane=words["lane"],
        review=words["review"],
        prompt=words["prompt"],
        min_pixels=words["min_pixels"],
        max_pixels=words["max_pixels"],
        dpi=words["dpi"],
        logprobs=words["logprobs"],
        password=password_in(words["password_file"]),
    )


def named_values(parameters: tuple[str, ...]) -> dict[str, str]:
    for parameter in parameters:
        if "=" not in parameter:
            raise click.UsageError(f"--parameter {parameter}: NAME=VALUE is expected")
    return dict(parameter.split("=", 1) for parameter in parameters)


def interrupt(number: int, _: FrameType | None) -> None:
    """End by unwinding, once: a second interrupt must not stop the ending of the children."""
    for following in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(following, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main() -> int:
    spare_this_machine()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup's wish
            signal.signal(number, interrupt)
    try:
        return int(cli.main(prog_name="pagewise", standalone_mode=False) or 0)
    except click.ClickException as error:  # click's own code, 2, says that a document was rejected
        usage = error.ctx.get_usage() + "\n" if isinstance(error, click.UsageError) and error.ctx else ""
        complain(f"{usage}{error.format_message()}")
        return NOT_RUN
    except (CommandError, EmbeddedModeError) as error:
        complain(error)
        return NOT_RUN
    except SystemExit as interrupted:
        return ended(interrupted, *sys.argv[1:2])
    except Exception as error:  # exit code 1 would say that a page has failed
        if logging.getLogger().handlers:
            logging.getLogger(__name__).exception("the command ended")
        complain(f"The pipeline could not run: {error}")
        return NOT_RUN


def ended(interrupted: SystemExit, command: str = "") -> int:
    """Ctrl-C is how a stack that stays is told to end."""
    code = int(interrupted.code or 0)
    return 0 if command == "local" and code == 128 + signal.SIGINT else code


if __name__ == "__main__":
    sys.exit(main())
