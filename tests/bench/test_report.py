"""The page that `report` writes, as a browser shows it."""

import json
import os
import re

import pytest

import harness
import sample
from browser import Browser
from instrument import bench

HOSTILE = "<b>a'b\"`c`"
ALSO_HOSTILE = "$(d)&amp;\\n@e"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One for all tests, since it takes long to start."""
    try:
        with Browser(tmp_path_factory.mktemp("profile")) as one:
            yield one
        harness.nothing_left()
    finally:
        harness.end_all()


@pytest.fixture
def page(tmp_path):
    """Writes the page of a record."""
    def write(record):
        file = tmp_path / "record.json"
        file.write_text(json.dumps(record))
        result = bench("report", file)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith(record["server"])
        return tmp_path / "record.html"
    return write


def titles(browser, section):
    """The names of the curves of each picture of a section."""
    return browser.value(f"""Array.from(document.querySelectorAll('#{section} svg')).map(svg =>
        Array.from(svg.querySelectorAll('title')).map(t => t.textContent).filter(t => t))""")


def named(models, *starving):
    return [model + (" (starves)" if model in starving else "") for model in models]


def test_each_models_curve_is_there(page, browser):
    record = sample.record(scenarios=["steady", "connect", "burst"])
    browser.open(page(record).as_uri())
    assert titles(browser, "steady") == [named(sample.MODELS, "iterative")] * 4
    assert titles(browser, "connect") == [sample.MODELS] * 2
    assert titles(browser, "burst") == [named(sample.MODELS, "iterative")] * 2
    assert titles(browser, "fairness") == [sample.MODELS]
    # each is drawn, in its own colour, inside of its picture, and in the key
    drawn = browser.value("""Array.from(document.querySelectorAll('#steady figure')).slice(0, 2).map(figure =>
        Array.from(figure.querySelectorAll('title')).filter(t => t.textContent).map(title => {
            const box = title.parentNode.getBoundingClientRect(), all = figure.getBoundingClientRect()
            const line = title.parentNode.querySelector('path')
            return [box.width > 100 && box.left > all.left && box.right < all.right && box.bottom < all.bottom,
                    getComputedStyle(line).stroke, title.textContent]
        }).concat([figure.querySelector('.key').innerText.replace(/[^a-z() ]/g, '').trim().split(/  +/)]))""")
    for *curves, key in drawn:
        assert all(inside for inside, _, _ in curves)
        assert len({colour for _, colour, _ in curves}) == len(sample.MODELS)
        assert key == [name for _, _, name in curves]


def test_nothing_on_the_console_and_no_network(page, browser):
    file = page(sample.record(scenarios=["steady", "kill"]))
    for width, dark in ((1280, False), (390, True)):
        browser.open(file.as_uri(), width, dark)
        assert browser.console == []
        assert browser.requests() == [file.as_uri()]
    text = file.read_text()
    assert "<script" not in text and "@import" not in text
    # names of XML languages are no addresses
    assert set(re.findall(r"https?://[^\"' <)]+", text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    ids = re.findall(r"\bid=[\"']([^\"']+)", text)
    assert len(ids) == len(set(ids))
    assert browser.value("Array.from(document.querySelectorAll('use')).every(u => "
                         "document.getElementById(u.getAttribute('xlink:href').slice(1)))")


def luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_it_can_be_read(dark, page, browser):
    file = page(sample.record(scenarios=["steady", "pipeline"]))
    for width in (390, 1280):
        browser.open(file.as_uri(), width, dark)
        assert browser.value("document.documentElement.scrollWidth") == width
        # letters of pictures are as large as they are drawn
        assert browser.value("Math.min(...Array.from(document.querySelectorAll('svg')).map(s => "
                             "s.getBoundingClientRect().width / s.viewBox.baseVal.width))") * 13 >= 11
        # only tables may be wider than the page, in a box that scrolls
        assert browser.value("""Array.from(document.querySelectorAll('body *')).filter(e => !e.closest('.box, pre') &&
            e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 80))""") == []
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    card = browser.value("getComputedStyle(document.querySelector('figure')).backgroundColor")
    assert (luminance(ground) < 0.1) == (luminance(card) < 0.1) == dark
    for what, behind, least in (("body", ground, 7), ("figcaption", card, 4.5), ("thead th", ground, 4.5),
                                (".bad td:nth-child(2)", ground, 4.5), (".key", card, 7)):
        colour = browser.value(f"getComputedStyle(document.querySelector({json.dumps(what)})).color")
        assert contrast(colour, behind) >= least, what
    colours = browser.value("Array.from(document.querySelectorAll('#steady svg path, #steady svg polygon')).filter("
                            "p => !p.closest('defs')).map(p => [getComputedStyle(p).stroke, getComputedStyle(p).fill]).flat()")
    rule = browser.value("getComputedStyle(document.querySelector('hr, h2')).borderTopColor")
    for colour in set(colours) - {"none", rule}:
        assert contrast(colour, card) >= 3, colour
    letters = browser.value("Array.from(document.querySelectorAll('svg text'), t => getComputedStyle(t).fill)")
    assert all(contrast(colour, card) >= 7 for colour in set(letters))


def test_table_verdict_and_report_agree(page, browser, tmp_path):
    record = sample.record()
    record["cells"][-1]["errors"]["wrong"] = 9
    browser.open(page(record).as_uri())
    table = bench("report", "--csv", tmp_path / "record.csv", tmp_path / "record.json", env=harness.environment(COLUMNS="400")).stdout
    for section, block in re.findall(r"^((\w+), [\d,]+ connections?.*)\n(?:.|\n)*?\n\n", table, re.M):
        lines = table.split(f"\n{section}\n")[1].split("\n\n")[0].splitlines()
        shown = browser.value(f"""(() => {{
            const heading = Array.from(document.querySelectorAll('#{block} h3')).find(h => h.innerText == {section!r})
            const rows = Array.from(heading.nextElementSibling.querySelectorAll('tbody tr'))
            return rows.map(r => [r.className, Array.from(r.children, c => c.innerText)]) }})()""")
        marks = {"best": "*", "tie": "=", "bad": "!", "": " "}
        for line, (kind, (model, remark, *figures)) in zip(lines[1:], shown):
            assert line.split() == [*marks[kind].split(), model, *figures, *remark.split()]
        assert [model for _, (model, *_) in shown] == sample.MODELS
    verdict = re.split(r"\nWhich model.*:\n", table)[1]
    cards = browser.value("Array.from(document.querySelectorAll('.card'), c => Array.from(c.children, e => e.innerText))")
    assert cards
    for heading, reason, *lines in cards:
        said = re.search(rf"^{re.escape(heading)}\n((?:  .*\n?)*)", verdict, re.M).group(1)
        assert " ".join(said.split()) == " ".join([reason, *lines]).replace("\n", " ").strip()


def test_each_scenario_tells_its_story(page, browser):
    record = sample.record()
    browser.open(page(record).as_uri())
    listed = bench("compare", "--list-scenarios").stdout
    for line in listed.splitlines():
        name, story = line.split(maxsplit=1)
        caption = browser.value(f"document.querySelector('#{name} > p').innerText")
        assert " ".join(caption.split()) == " ".join(story.split())
        assert browser.value(f"document.querySelector('nav a[href=\"#{name}\"]') !== null")
    words = browser.value("document.querySelector('#words').innerText")
    assert all(kind.replace("_", " ") in words for kind in sample.ERRORS)


def test_foreign_text_stays_text(page, browser):
    sample_costs = {HOSTILE: (1, 2, 3), ALSO_HOSTILE: (2, 3, 4)}
    sample.COST.update(sample_costs)
    try:
        record = sample.record(models=[HOSTILE, ALSO_HOSTILE], scenarios=["connect", "steady"],
                               server="</title><script>alert(1)</script>", command="</style><img src=x onerror=alert(2)>",
                               machine="&lt;\"'")
    finally:
        for name in sample_costs:
            del sample.COST[name]
    for cell in record["cells"]:
        if cell["scenario"] == "connect":
            cell["scenario"] = "'><svg/onload=alert(3)>"
    browser.open(page(record).as_uri())
    assert browser.console == [] and len(browser.requests()) == 1
    assert browser.value("document.querySelectorAll('script, img, b, [onload], [onerror]').length") == 0
    assert browser.value("document.querySelector('h1').innerText") == record["server"]
    assert record["command"] in browser.value("document.querySelector('dl').innerText")
    assert titles(browser, "steady")[0] == [HOSTILE, ALSO_HOSTILE]
    assert browser.value("Array.from(document.querySelectorAll('svg text'), t => t.textContent)").count(HOSTILE) > 0


def test_any_text_is_a_label(page, browser):
    """gnuplot takes the labels of tics for formats, and looks for commands and macros in what it reads."""
    names = ["%n", "100 %", "%.0s%cs", "''", '""', "a\\nb", "`1`", "<b>&amp;", "@e", "$a", "~^_{}", "#", "é", "id='x",
             "url(#y", "x" * 31]
    cells = [{**sample.record(models=["event"], scenarios=["connect"])["cells"][0], "model": name} for name in names]
    cells[1]["scenario"] = "%d `c`"
    browser.open(page(sample.record(cells=cells)).as_uri())
    assert browser.console == []
    shown = browser.value("Array.from(document.querySelectorAll('svg text'), t => t.textContent.trim())")
    for name in [*names[:-1], "%d `c`", "x" * 11 + "\u2026" + "x" * 12]:
        assert name in shown


def test_the_figures_at_their_limits(page, browser):
    """The largest and the smallest that a file may hold are drawn."""
    for least, most in ((1e-18, 1e15), (1e-18, 1e-18), (1e15, 1e15), (0.0, 1e15), (0.0, 0.0)):
        cells = [{**cell, "connections": connections, "curve_us": [least] * 12 + [most] * 12,
                  **{name: value for figure in ("answers_per_second", "cpu_us_per_answer", "tail_us")
                     for name, value in ((figure, most), (figure + "_low", least), (figure + "_high", most))},
                  "bytes_per_connection": most}
                 for connections in (1, 2**32 - 1) for cell in sample.record(scenarios=["connect"])["cells"]]
        browser.open(page(sample.record(cells=cells)).as_uri())
        assert browser.console == []
        assert browser.value("document.querySelectorAll('svg').length") == (5 if most else 4)


def test_a_comparison_that_ended_within_a_scenario(page):
    """Of which a single model was measured by then: it is advised all the same."""
    record = sample.record(scenarios=["steady", "connect"], complete=False)
    del record["cells"][-5:]
    assert "<h3>short connections: <strong>iterative</strong></h3>" in page(record).read_text()


def test_records_with_little_in_them(page, browser):
    """Nothing measured, nothing to compare, everything the same: gnuplot would complain on standard error."""
    nothing = sample.record(scenarios=["steady", "connect"], complete=False)
    for cell in nothing["cells"]:
        cell.update({name: None for name in cell if re.search("per_|^p[0-9]|_us|^fair|bytes|share", name)},
                    longest_wait_us=0, curve_us=[None] * len(cell["curve_us"]))
    alone = sample.record(models=["event"], scenarios=["connect"])
    flat = json.loads(json.dumps(alone))
    flat["cells"][0].update(curve_us=[50.0] * 24, cpu_us_per_answer=0.0, answers_per_second=0.0, fairness=0.0)
    for record, pictures in ((nothing, 0), (alone, 3), (flat, 3), (sample.record(models=[]), 0)):
        browser.open(page(record).as_uri())
        assert browser.console == []
        assert browser.value("document.querySelectorAll('svg').length") == pictures
        assert browser.value("document.querySelectorAll('.card').length > 0") is (record is nothing)
    browser.open(page(nothing).as_uri())
    assert "ended early" in browser.value("document.body.innerText")


def test_the_page_goes_where_it_is_told_to(tmp_path):
    text = json.dumps(sample.record(models=["event"], scenarios=["connect"]))
    (tmp_path / "x.data").write_text(text)
    assert bench("report", tmp_path / "x.data").returncode == 0
    assert bench("report", "--report", tmp_path / "there.html", tmp_path / "x.data").returncode == 0
    piped = bench("report", "-", stdin=(tmp_path / "x.data").open())
    assert piped.returncode == 0 and "connect, 64 connections" in piped.stderr
    assert piped.stdout == (tmp_path / "x.data.html").read_text() == (tmp_path / "there.html").read_text()
    assert sorted(os.listdir(tmp_path)) == ["there.html", "x.data", "x.data.html"]


def test_without_gnuplot(tmp_path):
    file = tmp_path / "x.json"
    file.write_text(json.dumps(sample.record()))
    bare = harness.environment(PATH="/nonexistent")
    for command in (["report", file], ["run", "--no-progress", "--report", tmp_path / "x.html", "127.0.0.1:1"]):
        result = bench(*command, env=bare)
        assert result.returncode == 69
        assert result.stderr.count("\n") == 1 and "gnuplot-nox" in result.stderr
    assert os.listdir(tmp_path) == ["x.json"]
