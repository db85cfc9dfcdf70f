"""A template that is larger than an argument of CloudFormation's goes by a bucket, as `sam deploy` has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.children import Children
from local.emulator.deployment import LARGEST_INLINE_TEMPLATE, LARGEST_TEMPLATE, DeploymentError, deploy
from local.emulator.process import Emulator
from local.stack import EMULATOR_PYTHON, ROOT


def padded(folder: Path, size: int) -> Path:
    template = folder / "template.yaml"
    template.write_text((ROOT / "template.yaml").read_text(encoding="utf-8") + "# \n" * (size // 3), encoding="utf-8")
    for name in ("functions", "layers"):
        (folder / name).symlink_to(ROOT / name)
    return template


@pytest.mark.parametrize(("size", "deploys"), [(LARGEST_INLINE_TEMPLATE, True), (LARGEST_TEMPLATE, False)])
def test_a_template_is_as_large_as_one_in_a_bucket_may_be(tmp_path: Path, size: int, deploys: bool) -> None:
    with Children() as children:
        emulator = Emulator(children, EMULATOR_PYTHON, tmp_path / "state", tmp_path / "emulator.log")
        emulator.wait_until_healthy()
        template = padded(tmp_path, size)
        if deploys:
            assert len(deploy(emulator, template, "pagewise", {}).functions) == 11
        else:
            with pytest.raises(DeploymentError, match="larger than CloudFormation takes"):
                deploy(emulator, template, "pagewise", {})
