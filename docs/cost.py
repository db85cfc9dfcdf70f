"""The cost of pages on AWS and at the engine, as a formula. `make cost` prints the tables of docs/cost.md.

Prices: us-east-1, public price lists, 2026-11, without free tiers. Change them here, or the page's properties on the
command line: docs/cost.py --tasks 2 --input-tokens 2500 --output-tokens 800 --engine-seconds 6
"""

import argparse
import sys
from dataclasses import dataclass, replace

# USD for one unit.
GB_SECOND = 0.0000166667  # Lambda, x86
INVOCATION = 0.20e-6
SQS_REQUEST = 0.40e-6
TABLE_WRITE, TABLE_READ = 0.625e-6, 0.125e-6  # on demand: 1 KB written, 4 KB read; a transaction counts twice
PUT, GET = 5e-6, 0.4e-6
GB_MONTH = 0.023
API_REQUEST = 1e-6  # API Gateway's HTTP API, the first 300 million a month
MAINLAND = 0.043, 0.072  # USD for a million input and output tokens
EVENT = 1e-6  # custom events, per 64 KB
LOG_GB = 0.50
EGRESS_GB = 0.09  # to the internet, of the first 10 TB a month
TRACE = 5e-6
METRIC_MONTH, ALARM_METRIC_MONTH, DASHBOARD_MONTH, SECRET_MONTH = 0.30, 0.10, 3.00, 0.40

# Of this stack.
SPLITTER_GB, OCR_GB, ASSEMBLER_GB = 3008 / 1024, 1.0, 1.0  # SplitterMemory, by default
REVIEW_GB = 0.5
BATCH = 10  # OcrBatchSize: page jobs that share an invocation's seconds
PAGES_PER_RANGE = 20
QUEUES = 10  # split, seven tasks, ends of documents, dead letters
METRICS = 26  # docs/operations.md
ALARM_METRICS = 41  # 29 alarms, 12 of them on two metrics
REVIEW_ALARM_METRICS = 1  # with Api=true alone
# What a BatchModel adds: a queue, docs/operations.md's metrics "of the batch lane", five alarms.
BATCH_QUEUES, BATCH_METRICS, BATCH_ALARM_METRICS = 1, 10, 7
COLLECTOR_GB, FOLLOWER_GB = 0.5, 1.0
GATHERED_TOGETHER = 49
# Of a page job at the most. tests/benchmarks/batch_lane.py: 0.13 and 4.2 ms of CPU; the rest is waiting for AWS.
COLLECTOR_SECONDS, FOLLOWER_SECONDS = 0.02, 0.03
BATCH_SHARE = 0.5  # of the price of tokens
# An event source mapping keeps five long polls of 20 s open on a queue, whether it is empty or not.
POLLS_MONTH = 5 * 30 * 86_400 / 20
BASE64 = 4 / 3


@dataclass(frozen=True)
class Page:
    """An average page. The defaults: A4 at 200 dpi, durations by make bench, tokens by qwen/tokens.py."""

    tasks: int = 1
    split_seconds: float = 0.1  # of a page, rendered and stored; make bench: 0.02 for a small one of TIFF
    engine_seconds: float = 4.0  # of one page job
    # Of a batch. make bench: ten jobs, an engine of 2.0 s, 2.2 s billed, on a whole core; 1 GB of Lambda is half a one.
    overhead_seconds: float = 0.35
    megabytes: float = 0.4
    input_tokens: int = 3800
    output_tokens: int = 600
    input_price: float = 0.07  # per million, as the parameters' defaults
    output_price: float = 0.16
    document_pages: int = 10  # that share an invocation of the assembler
    assembly_seconds: float = 2.5  # of a document with the default outputs, cold start included
    output_files: int = 3  # with the manifest
    traced: float = 0.05  # X-Ray's sampling rate
    sent: float = BASE64  # bytes that leave AWS for a byte of page image; by URL 1


def lines(page: Page) -> dict[str, float]:
    """USD for one page, by service."""
    jobs, batches = page.tasks, page.tasks / BATCH
    billed = (page.engine_seconds + page.overhead_seconds) / BATCH  # all of a batch wait at the same time
    return {
        "Lambda: splitter": page.split_seconds * SPLITTER_GB * GB_SECOND + INVOCATION / PAGES_PER_RANGE,
        "Lambda: OCR": jobs * billed * OCR_GB * GB_SECOND + batches * INVOCATION,
        "Lambda: assembler": (page.assembly_seconds * ASSEMBLER_GB * GB_SECOND + INVOCATION) / page.document_pages,
        # Its end in the queue, the rule's delivery is free; files, their manifest read, the event, the note.
        "Outputs: the rest": (3 * SQS_REQUEST + page.output_files * PUT + 2 * GET + EVENT + 2 * TABLE_WRITE)
        / page.document_pages
        + jobs * (TABLE_READ + GET / 5),  # a fifth of the results lie in the bucket
        # Send, receive and delete, each in batches of ten, and a page's share of a range's message.
        "SQS": 3 * SQS_REQUEST * (batches + 1 / PAGES_PER_RANGE),
        # A job: two reads; a transaction of result (about 4 KB), page, and (once) the document: each write twice.
        "DynamoDB": jobs * (2 * TABLE_READ + 2 * (4 + 1) * TABLE_WRITE) + 2 * TABLE_WRITE,
        "S3: requests": PUT + jobs * GET,
        "S3: a month of storage": page.megabytes / 1024 * GB_MONTH,
        "Egress to the engine": jobs * page.megabytes * page.sent / 1024 * EGRESS_GB,
        "EventBridge": (jobs + 1) * EVENT,
        "Logs and traces": (1 + jobs) * 1e-6 * LOG_GB + page.traced * (batches + 0.05) * TRACE,
        "Tokens": jobs * (page.input_tokens * page.input_price + page.output_tokens * page.output_price) / 1e6,
    }


def batch_lines(page: Page) -> dict[str, float]:
    """USD for one page in the batch lane, where all of its lines come back well."""
    live, jobs = lines(page), page.tasks
    without = {name: each for name, each in live.items() if name not in ("Lambda: OCR", "DynamoDB", "Tokens")}
    collected = jobs * (COLLECTOR_SECONDS * COLLECTOR_GB * GB_SECOND + INVOCATION / GATHERED_TOGETHER)
    return without | {
        "Lambda: collector and follower": collected + jobs * FOLLOWER_SECONDS * FOLLOWER_GB * GB_SECOND,
        # As live; and in a transaction its mark (1 KB) and its message (2 KB), read twice and deleted.
        "DynamoDB": live["DynamoDB"] + jobs * (2 * 3 * TABLE_WRITE + 2 * TABLE_WRITE + 2 * TABLE_READ),
        "Tokens": BATCH_SHARE * live["Tokens"],
    }


def fixed() -> dict[str, float]:
    """USD a month, at any load."""
    return {
        "Idle polling": QUEUES * POLLS_MONTH * SQS_REQUEST,
        "Custom metrics": METRICS * METRIC_MONTH,
        "Alarms": ALARM_METRICS * ALARM_METRIC_MONTH,
        "Dashboard": DASHBOARD_MONTH,
        "Secret": SECRET_MONTH,
    }


def review_fixed() -> float:
    """USD a month of the API and the review page (Api=true), before anybody comes."""
    return REVIEW_ALARM_METRICS * ALARM_METRIC_MONTH


def review_request() -> float:
    """USD for a request to the API: API Gateway, 0.2 s of the function, ten reads of the table."""
    return API_REQUEST + INVOCATION + 0.2 * REVIEW_GB * GB_SECOND + 10 * TABLE_READ


def fixed_of_the_batch_lane() -> float:
    """USD a month that a BatchModel adds. The follower comes each minute, for a second."""
    visits = 30 * 1_440 * (INVOCATION + FOLLOWER_GB * GB_SECOND)
    watched = BATCH_METRICS * METRIC_MONTH + BATCH_ALARM_METRICS * ALARM_METRIC_MONTH
    return BATCH_QUEUES * POLLS_MONTH * SQS_REQUEST + watched + visits


def in_table(kilobytes: int) -> float:
    """USD for a result in the results table: written in a transaction, read once."""
    return 2 * kilobytes * TABLE_WRITE + -(-kilobytes // 4) * TABLE_READ


def in_bucket() -> float:
    """USD for a result of any size in the pages bucket, with its record of 1 KB, read once."""
    return PUT + GET + in_table(1)


def table(page: Page) -> str:
    rows = lines(page)
    text = "| | 1,000 pages | 1,000,000 pages | share |\n| --- | ---: | ---: | ---: |\n"
    total = sum(rows.values())
    for name, each in {**rows, "**together**": total}.items():
        text += f"| {name} | {1000 * each:.4f} | {1_000_000 * each:,.2f} | {each / total:.1%} |\n"
    months = fixed()
    text += "\n| fixed | USD a month |\n| --- | ---: |\n"
    for name, each in {**months, "**together**": sum(months.values())}.items():
        text += f"| {name} | {each:.2f} |\n"
    return text


def both_lanes(page: Page) -> str:
    """USD for 1,000 pages in either lane, at the price of the one region that has both."""
    page = replace(page, input_price=MAINLAND[0], output_price=MAINLAND[1])
    live, batch = lines(page), batch_lines(page)
    rows = {name: (live.get(name, 0.0), batch.get(name, 0.0)) for name in {**live, **batch}}
    rows["**together**"] = sum(live.values()), sum(batch.values())
    text = "| 1,000 pages, mainland prices | live | batch |\n| --- | ---: | ---: |\n"
    text += "".join(f"| {name} | {1000 * a:.4f} | {1000 * b:.4f} |\n" for name, (a, b) in rows.items())
    return text + f"| fixed, a month more | | {fixed_of_the_batch_lane():.2f} |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in vars(Page()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    page = Page(**vars(parser.parse_args()))
    sys.stdout.write(f"{table(page)}\n{both_lanes(page)}")


if __name__ == "__main__":
    main()
