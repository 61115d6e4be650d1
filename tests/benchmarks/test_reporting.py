"""A result says what was measured, against what it was held, and whether that was met, in table, chart and page."""

import xml.etree.ElementTree as ET

import pytest

from benchmarks import page, results
from benchmarks.charts import chart
from benchmarks.results import Result
from benchmarks.rows import Row, Target, at_least, at_most
from benchmarks.table import line
from benchmarks.topics import topics

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("target", "figure", "ratio", "met"),
    [
        (at_most(0.4), 9.0, 0.4, True),
        (at_most(0.4), 0.1, 0.41, False),
        (at_least(0.5), 0.1, 0.5, True),
        (at_least(0.5), 9.0, 0.49, False),
        (at_most(100), 100.0, None, True),
        (at_most(100), 100.1, None, False),
        (None, 1.0, 1.0, None),
    ],
)
def test_a_target_is_held_against_the_ratio_where_there_is_one(
    target: Target | None, figure: float, ratio: float | None, met: bool | None
) -> None:
    row = Row(what="It", figure=figure, unit="µs", ratio=ratio, target=target)
    assert row.met is met
    assert ("missed" in line(row), "| met |" in line(row)) == (met is False, met is True)


def test_the_chart_shows_every_figure_to_one_scale_and_its_limit() -> None:
    rows = [
        Row(what="Bare", figure=10.0, unit="µs"),
        Row(what="A < B & C", figure=5.0, unit="µs", ratio=0.5, of="of bare", target=at_most(0.25)),
    ]
    drawn = ET.fromstring(chart("Speed, µs", rows))
    sheet, *bars = drawn.iter(f"{SVG}rect")
    assert float(bars[0].attrib["width"]) == 2 * float(bars[1].attrib["width"])
    assert [bar.attrib["class"] for bar in bars] == ["bar", "missed"]
    (limit,) = (each for each in drawn.iter(f"{SVG}line") if each.attrib["class"] == "limit")
    assert float(limit.attrib["x1"]) - float(bars[1].attrib["x"]) == float(bars[1].attrib["width"]) / 2
    said = [text.text for text in drawn.iter(f"{SVG}text")]
    assert {"Bare", "A < B & C", "10 µs", "5 µs"} <= set(said)
    assert all(float(text.attrib["x"]) < float(sheet.attrib["width"]) for text in drawn.iter(f"{SVG}text"))


def test_what_was_kept_is_what_was_measured(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path_factory.mktemp("results") / "new")
    row = Row(what="It", figure=2.0, unit="µs", ratio=0.5, of="of bare", target=at_most(0.4))
    result = Result(topic="warm", day="2026-11-24", machine="a machine", rows=(row, row))
    results.keep(result)
    assert results.kept() == {"warm": result}
    made = page.files()
    assert made["benchmarks.md"].count(line(row)) == 2
    assert "2026-11-24: a machine" in made["benchmarks.md"]
    assert set(made) == {"benchmarks.md", "pictures/bench-warm-us.svg"}


def test_every_topic_says_what_it_measures_and_where_it_stands() -> None:
    found = topics()
    assert next(iter(found)) == "warm"
    for name, topic in found.items():
        assert isinstance(topic.PLACE, int), name
        assert topic.TITLE, name
        assert topic.__doc__, name
        assert callable(topic.measure), name
        assert "\n#" not in topic.__doc__, name
