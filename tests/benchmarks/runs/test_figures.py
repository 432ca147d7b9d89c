"""Figures: no module touches the backend that somebody draws with, and none needs pyplot."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

import benchmarks
from benchmarks.runs.figures import COLUMN_INCHES, drawing, new_figure, percent, save

SCRIPT = """
import importlib, pkgutil, sys
from pathlib import Path
import matplotlib
matplotlib.use("svg")
import benchmarks
for module in pkgutil.walk_packages(benchmarks.__path__, "benchmarks."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        assert matplotlib.get_backend() == "svg", module.name
from benchmarks.links.counting import Counts
from benchmarks.links.drawing.plots import curves_of, plot_ber
from benchmarks.links.results import PointStats
from benchmarks.runs.figures import save
code = {"name": "none", "k": 8, "n": 8, "decoder": {"iterations": None, "llr_bits": None}}
condition = {"code": code, "modulation": "qpsk", "channel": "awgn", "engine": "compiled", "seed": 1}
points = [PointStats(condition, x, x, 4, 0, Counts(100, 10, 800, 15, 25)) for x in (1.0, 2.0)]
save(plot_ber(curves_of(points, "esno")), Path(sys.argv[1]), "ber")
assert matplotlib.get_backend() == "svg"
pyplot = sys.modules.get("matplotlib.pyplot")  # other packages may have brought it
assert pyplot is None or not pyplot.get_fignums()
"""


@pytest.mark.slow
def test_no_module_switches_the_backend_or_leaves_figures_open(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"ber.png", "ber.svg", "ber.pdf"}
    assert (tmp_path / "ber.pdf").read_bytes().startswith(b"%PDF")
    assert "<text" in (tmp_path / "ber.svg").read_text()  # letters, not outlines


def test_no_module_asks_for_pyplot() -> None:
    for file in Path(benchmarks.__file__).parent.rglob("*.py"):
        assert not re.search(r"import.*pyplot", file.read_text()), file


def test_a_new_figure_is_as_wide_as_a_column_and_shows_itself(tmp_path: Path) -> None:
    figure = new_figure(height=2.0)
    figure.add_subplot().plot([0, 1], [0, 1])
    (file,) = save(figure, tmp_path / "made", "line", formats=("png",), dpi=100)
    assert file == tmp_path / "made" / "line.png"
    assert Image.open(file).size == (round(100 * COLUMN_INCHES), 200)
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_axes_that_somebody_gave_are_drawn_in_as_they_are() -> None:
    theirs = Figure().add_subplot()
    with drawing(theirs) as (figure, axes):
        assert axes is theirs and figure is theirs.get_figure()
    theirs.remove()
    with pytest.raises(ValueError, match="no figure"), drawing(theirs):
        pass


@pytest.mark.parametrize(("confidence", "words"), [(0.95, "95 %"), (0.5, "50 %"), (0.999, "99.9 %")])
def test_percent(confidence: float, words: str) -> None:
    assert percent(confidence) == words
