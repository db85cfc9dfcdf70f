"""CloudWatch metrics, as lines in the log (embedded metric format): they cost no call.

All are by stack (the dimension `service`) alone, for each combination of dimensions is a metric of its own on the bill;
failures and rejections are by reason too, as far as it is known. A page job's other facts are in its log line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from pagewise.account.metering import dimension
from pagewise.errors import Configuration, PagewiseError
from pagewise.model import Document, DocumentStatus, JobStatus, Result

NAMESPACE = "Pagewise"
# Nothing that was uploaded or asked for explains these: an operator looks.
BROKEN = frozenset({"broken", "given_up", "timed_out", "too_large", "no_space"})


@dataclass(frozen=True, slots=True)
class CloudWatchMeter:
    metrics: Metrics
    lock: Lock = field(default_factory=Lock)  # page jobs of one invocation end side by side, in threads

    def accepted(self, document: Document) -> None:
        self.add("DocumentsAccepted")
        self.add("Pages", document.pages)

    def ended(self, document: Document) -> None:
        if document.status is DocumentStatus.REJECTED:
            self.add("DocumentsRejected")
            self.by_reason("Rejections", document.reason)
        else:
            self.add("DocumentsEnded")

    def assembled(self, manifest: Mapping[str, Any]) -> None:
        self.add("DocumentsAssembled")
        self.add("OutputFiles", len(manifest["files"]))
        for failed in manifest["failed"]:
            self.add("OutputsFailed")
            self.by_reason("FailedOutputs", failed["reason"])
            if failed["reason"] in BROKEN:
                self.add("OutputsBroken")

    def page_job(self, result: Result, amount: float) -> None:
        if result.status is JobStatus.RECOGNIZED:
            self.add("PageJobsRecognized")
            if result.reused_from:
                self.add("PageJobsReused")
            else:
                self.add("PageJobSeconds", result.seconds, MetricUnit.Seconds)
        else:
            self.add("PageJobsFailed")
            self.by_reason("Failures", result.reason)
        if result.usage.input_tokens or result.usage.output_tokens:
            self.add("InputTokens", result.usage.input_tokens)
            self.add("OutputTokens", result.usage.output_tokens)
            self.add("Cost", amount)  # in the stack's PriceCurrency: CloudWatch has no unit for money

    def put_off(self, error: PagewiseError) -> None:
        self.add("ConfigurationErrors" if isinstance(error, Configuration) else "PageJobsThrottled")

    def batch(self, name: str, number: float = 1) -> None:
        self.add(name, number)

    def split_put_off(self) -> None:
        self.add("SplitConfigurationErrors")

    def add(self, name: str, number: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
        with self.lock:
            self.metrics.add_metric(name, unit, number)

    def by_reason(self, name: str, reason: str | None) -> None:
        """A metric of its own dimensions is a line of its own."""
        service = {"service": self.metrics.service} if self.metrics.service else {}
        with self.lock, single_metric(name, MetricUnit.Count, 1, namespace=NAMESPACE) as metric:
            for named, word in {**service, "reason": dimension(reason)}.items():
                metric.add_dimension(named, word)
