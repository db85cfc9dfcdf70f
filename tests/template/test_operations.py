"""docs/operations.md has a section for every alarm, and names no alarm or metric that is not there."""

import re

from tests.template import cloudformation
from tests.template.cloudformation import ROOT, of_type
from tests.template.test_template import counted

OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
SECTIONS = {section.partition("\n")[0]: section for section in OPERATIONS.split("\n## ")[1:]}


def test_every_alarm_is_explained_where_its_description_says() -> None:
    for name, alarm in of_type(cloudformation.load(), "CloudWatch::Alarm").items():
        anchor = alarm["AlarmDescription"].partition("docs/operations.md#")[2]
        (section,) = [text for title, text in SECTIONS.items() if title.lower() == anchor]
        assert name in section
        assert "**Means**:" in section
        assert "**Do**:" in section


def test_no_alarm_is_explained_that_is_not_there() -> None:
    template = cloudformation.load()
    alarms = set(of_type(template, "CloudWatch::Alarm")) | {
        f"{task}StalledAlarm" for task in template["Mappings"]["Tasks"]
    }
    assert set(re.findall(r"\w+Alarm\b", OPERATIONS)) - {"StalledAlarm", "RecursionAlarm"} <= alarms


def test_the_metrics_that_are_listed_are_counted() -> None:
    listed = set(re.findall(r"`([A-Z]\w+)`", SECTIONS["What is counted"])) - {"Pagewise"}
    assert {"Pages", "Cost", "Failures"} <= listed <= counted()
