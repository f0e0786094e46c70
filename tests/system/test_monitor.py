"""The metrics, read by what reads them: Prometheus' promtool, and node_exporter with its textfile collector."""

import re
import shutil
import subprocess
import urllib.request
from contextlib import contextmanager

import pytest

from harness import LIMIT, environment, run, until
from test_operate import ANSWER, QUESTION, parsed

PROMTOOL = shutil.which("promtool")
EXPORTER = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="there is no promtool (Debian: prometheus)")
needs_exporter = pytest.mark.skipif(not EXPORTER, reason="there is no node_exporter (Debian: prometheus-node-exporter)")


@contextmanager
def exporter(folder, log):
    """A node_exporter that reads the files of that folder and nothing else.  Yields what fetches its metrics."""
    with open(log, "w") as said, \
         subprocess.Popen([EXPORTER, "--collector.disable-defaults", "--collector.textfile",
                           f"--collector.textfile.directory={folder}", "--web.disable-exporter-metrics",
                           "--web.listen-address=127.0.0.1:0"],
                          stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment()) as process:
        try:
            address = until("its address", lambda: re.search(r"Listening on.*address=(127\S+)", log.read_text()))
            yield lambda: urllib.request.urlopen(f"http://{address.group(1)}/metrics", timeout=LIMIT).read().decode()
        finally:
            process.terminate()
            process.wait(LIMIT)


def figures(text):
    """All that it says of the daemon, in any order: type, help, and numbers by name and labels."""
    def labels(sample):
        return {name: float(text) if name == "le" else text for name, text in sample.labels.items()}

    return {name: (family.type, family.documentation,
                   {(s.name, *sorted(labels(s).items())): s.value for s in family.samples})
            for name, family in parsed(text).items() if name.startswith("aphorismd_")}


@needs_promtool
def test_promtool_finds_no_fault(daemon, model):
    d = daemon(model)
    assert d.ask(QUESTION) == ANSWER
    result = run(PROMTOOL, "check", "metrics", input=d.ctl("metrics").stdout, stdin=None)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@needs_exporter
def test_the_exporter_passes_everything_on(daemon, place):
    """Each figure with its type and its help, under the name that the file has; it is there by way of a link."""
    folder, file = place / "textfiles", place / "aphorismd.prom"
    folder.mkdir()
    (folder / "aphorismd.prom").symlink_to(file)
    d = daemon("event", metrics__file=file, metrics__interval="1s")
    assert d.ask(QUESTION) == ANSWER
    until("the file", file.exists)
    until("the question", lambda: "\naphorismd_questions_total 1\n" in file.read_text())
    d.stop()                            # it leaves the file as it is
    with exporter(folder, place / "exporter") as fetch:
        text = fetch()
    assert "\nnode_textfile_scrape_error 0\n" in text
    passed_on, written = figures(text), figures(file.read_text())
    assert passed_on == written and written["aphorismd_questions"][0] == "counter"
    assert {kind for kind, _, _ in passed_on.values()} == {"counter", "gauge", "histogram"}
    assert not [name for name, (_, said, _) in passed_on.items() if not said or "Metric read from" in said]
