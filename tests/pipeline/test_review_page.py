"""A real receipt from its upload to `DocumentReviewed`: recognized, doubted, corrected in a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from playwright.sync_api import expect, sync_playwright

from local.stack import API_PARAMETERS, ROOT
from tests.engine.corpus import is_here, original
from tests.review_page.reviewing import SPARING, person
from tests.running import running
from tests.unit.test_events import SCHEMAS

# A cookie signs in here: an issuer of OpenID Connect has https.
PARAMETERS = {**API_PARAMETERS, "Outputs": "fields"}
PATIENCE = 60_000  # milliseconds, beside a stack at work


@pytest.mark.skipif(not is_here(), reason="the corpus is absent")
def test_a_receipt_from_its_upload_to_the_reviewed_document(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is absent: local/setup.sh web")
    with running(tmp_path, parameters=PARAMETERS, recognizes=True) as pagewise:
        profile = json.loads((ROOT / "profiles/receipts.json").read_text(encoding="utf-8")) | {"review": "doubtful"}
        profile.pop("$schema", None)
        name = f"{pagewise.stack.deployment.outputs['Profiles']}/receipts"
        pagewise.stack.client("ssm").put_parameter(Name=name, Value=json.dumps(profile), Type="String")
        receipt = original("A04")
        key = pagewise.upload(f"receipts/{receipt.name}", receipt.read_bytes())
        needed = pagewise.until_event("ReviewNeeded").detail
        assert pagewise.stack.api is not None
        expect.set_options(timeout=PATIENCE)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=SPARING)
            token = f"{pagewise.stack.api.token}&name=Ana"
            with person(browser, pagewise.stack.api.origin, token) as ana:
                expect(ana.page.get_by_role("link", name=receipt.name)).to_be_focused()
                ana.press("Enter")
                expect(ana.value("Date")).to_be_focused()
                image = ana.page.get_by_role("img", name="Page 1")
                expect(image).to_have_js_property("naturalWidth", 522)
                ana.writes("2018-04-16")
                ana.hears("Date keeps the rules")
                ana.press("Enter")
                ana.waits_until_saved()
                expect(ana.page.get_by_role("button", name="Finish")).to_be_focused()
                ana.press("Enter")
                ana.is_told(f"{receipt.name} is reviewed.")
                assert ana.faults == []
        reviewed = pagewise.until_event("DocumentReviewed").detail
        assert (needed["document"]["key"], reviewed["document"]["key"]) == (key, key)
        jsonschema.validate(reviewed, SCHEMAS["DocumentReviewed"])
