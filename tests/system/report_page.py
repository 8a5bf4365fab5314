#!/usr/bin/env python3
"""Looks through a page of `uvic report`: well-formed, no script, nothing loaded, curves with as many points as there are rows.
usage: report_page.py FILE [--runs N] [--points N...] [--samples N] [--differ KEY...] [--quotes]
--points: of the loss of each run; --samples: of all runs; --quotes: texts of the runs speak of scripts and addresses"""
import argparse
import base64
import re
import xml.etree.ElementTree as ElementTree

parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("--runs", type=int)
parser.add_argument("--points", type=int, nargs="+")
parser.add_argument("--samples", type=int)
parser.add_argument("--differ", nargs="+")
parser.add_argument("--quotes", action="store_true")
wanted = parser.parse_args()

text = open(wanted.file, encoding="utf-8").read()
page = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
tags = [element.tag for element in page.iter()]
allowed = """html head meta title style body main header section h1 h2 h3 p div span ul li small table caption thead tbody tr th td
  figure figcaption svg path line circle text title fieldset legend input label img pre details summary""".split()
assert set(tags) <= set(allowed), set(tags) - set(allowed)
assert "<script" not in text
assert wanted.quotes or not re.search("https?:", text)
for element in page.iter():
    for name, value in element.attrib.items():
        assert not name.startswith("on") and name not in ("href", "style"), (element.tag, name)
        assert name != "src" or value.startswith("data:image/png;base64,"), value[:80]
assert "url(" not in page.find("head/style").text and "@import" not in page.find("head/style").text
ids = [element.get("id") for element in page.iter() if element.get("id")]
assert len(ids) == len(set(ids)), ids

# For those who hear the page, and those who have a keyboard only.
assert page.get("lang") and page.find("head/title").text
assert tags.count("h1") == 1
for image in page.iter("img"):
    assert image.get("alt")
    assert base64.b64decode(image.get("src").split(",")[1], validate=True).startswith(b"\x89PNG")
for table in page.iter("table"):
    assert table.find("caption").text
    columns = [len(row) for row in table.iter("tr")]
    assert len(set(columns)) == 1, columns
    assert all(cell.text for cell in table.find("thead/tr")), table.find("caption").text
for figure in page.iter("figure"):
    svg = figure.find("svg")
    assert svg.get("role") == "img" and svg.get("aria-label")
    for path in figure.iter("path"):
        assert re.fullmatch(r"M[\d.]+ [\d.]+(L[\d.]+ [\d.]+)*", path.get("d")), path.get("d")[:200]
labels = {label.get("for") for label in page.iter("label")}
assert labels == {radio.get("id") for radio in page.iter("input")}

overview = next(page.iter("table"))
assert wanted.runs is None or len(overview.findall("thead/tr/th")) == 1 + wanted.runs
if wanted.points:
    loss = next(figure for figure in page.iter("figure") if figure.find("figcaption").text.startswith("Training loss"))
    points = [path.get("d").count("L") + 1 for path in loss.iter("path") if "faint" in path.get("class")]
    smooth = [path.get("d").count("L") + 1 for path in loss.iter("path") if "faint" not in path.get("class")]
    assert points == smooth == wanted.points, (points, smooth)
assert wanted.samples is None or tags.count("img") == wanted.samples, tags.count("img")
if wanted.differ:
    table = next(t for t in page.iter("table") if t.find("caption").text == "What differs")
    keys = [row.find("th").text for row in table.findall("tbody/tr")]
    assert sorted(keys) == sorted(wanted.differ), keys
