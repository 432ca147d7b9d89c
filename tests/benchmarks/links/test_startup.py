"""A curve of the compiled engine begins without what it does not need, whose import takes seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SPARED = {"sionna", "torch", "scipy.optimize", "scipy.sparse", "scipy.stats"}
POINT = ["ber", "--decoder", "minsum", "--k", "64", "--ebno", "3", "--max-blocks", "64"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        POINT,
        [*POINT, "--interleaver", "random", "--modulation", "qpsk"],
        ["ber", "--code", "none", "--esno", "3", "--max-blocks", "64", "--modulation", "qam16"],
        ["mcs", "--schemes", "1/2-qpsk", "--block-bits", "128", "--target-bler", "0.5"],
    ],
    ids=["ber", "interleaved", "uncoded", "mcs"],
)
def test_a_point_needs_no_torch(command: list[str], tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from benchmarks.cli.main import main\n"
        f"try:\n    main({[*command, '--out', str(tmp_path / 'run')]!r})\n"
        "except SystemExit as end:\n    assert not end.code\n"
        f"print(*sorted({SPARED!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (tmp_path / "run" / "curves.csv").read_text().count("\n") > 1
    assert done.stderr.splitlines()[-1] == ""
