"""Makes docs/growth.md and docs/plots/growth.svg of docs/plots/growth.txt, which is what
`make bench BENCH=Growth ACTIONLOG_BENCH_ACTIONS=10000000` printed. `make plots` runs it."""

import pathlib
import re

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "actionlog", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
import matplotlib.pyplot as plt

HERE = pathlib.Path(__file__).parent
LINE = re.compile(r"BenchmarkGrowth/actions=(\d+)/days=(\d+)/institutions=(\d+)\S*\s+\d+\s+(.*)")
AXES = [
    ("actions, over 93 days, one institution", lambda a, d, i: a if (d, i) == (93, 1) else None),
    ("days, 1,000,000 actions, one institution", lambda a, d, i: d if (a, i) == (1_000_000, 1) else None),
    ("institutions, 1,000,000 actions, 93 days", lambda a, d, i: i if (a, d) == (1_000_000, 93) else None),
]
QUESTIONS = [("page", "page of 50"), ("page_person", "a person's"), ("page_any", "any word"), ("page_nothing", "nothing found"), ("facet_action", "facet"), ("histogram", "histogram")]
ROWS = [
    ("written a second", [("written/s", "written")], "linear"),
    ("bytes an action", [("B/action", "on disk")], "linear"),
    ("ms, p50", [(f"{q}_p50_ms", label) for q, label in QUESTIONS], "log"),
    ("ms, p99", [(f"{q}_p99_ms", label) for q, label in QUESTIONS], "log"),
    ("MiB of heap; ms to open", [("heap_MiB", "heap, MiB"), ("open_ms", "open, ms")], "linear"),
]


def read(text):
    for line in text.splitlines():
        if m := LINE.match(line):
            parts = m[4].split()
            yield tuple(map(int, m.group(1, 2, 3))), {unit: float(value) for value, unit in zip(parts[::2], parts[1::2])}


COLUMNS = [("written/s", "written a second", "{:,.0f}"), ("B/action", "B an action", "{:.0f}"), ("open_ms", "open, ms", "{:.0f}"), ("heap_MiB", "heap, MiB", "{:.0f}")] + [
    (q, label, "{:.2f}") for q, label in [("page", "page"), ("page_person", "a person's"), ("page_action_course", "action, course"), ("page_method_code", "method, code"),
    ("page_any", "any word"), ("page_nothing", "nothing found"), ("facet_action", "facet"), ("histogram", "histogram"), ("count_filtered", "count")]]


def cell(values, name, form):
    if name in values:
        return form.format(values[name])
    if f"{name}_p50_ms" in values:
        return form.format(values[f"{name}_p50_ms"]) + " / " + form.format(values[f"{name}_p99_ms"])
    return ""


def table(measured):
    yield "| actions | days | institutions | " + " | ".join(label for _, label, _ in COLUMNS) + " |"
    yield "|" + " ---: |" * (len(COLUMNS) + 3)
    for key, values in sorted(measured.items()):
        yield "| " + " | ".join([f"{n:,}" for n in key] + [cell(values, name, form) for name, _, form in COLUMNS]) + " |"


TEXT = """# How cost grows

Made by `make plots` of [what was measured](plots/growth.txt) with `make bench BENCH=Growth ACTIONLOG_BENCH_ACTIONS=10000000`: the embedded store alone, in the
process, on two cores, everything synced. The actions are those of the demo; where there is more than one institution the first has half of them, and the others share the rest. Questions are
asked of the first one, about all of the days: milliseconds, p50 / p99 of 200. The heap is what the store holds once all of them were asked. What it means for a machine says [capacity](capacity.md).

Other tests ran beside it at low priority. A store of 10,000 institutions was not measured to its end. What grows faster than it must: a method and a code together, of which both columns are read for all days (59 ms at 10,000,000; wanted are 8),
and writing for a hundred institutions, which takes twice the time of one: their names are in a directory each.

{table}

![Written a second, bytes, milliseconds and memory over actions, days and institutions](plots/growth.svg)
"""


def main():
    measured = dict(read((HERE / "growth.txt").read_text()))
    (HERE.parent / "growth.md").write_text(TEXT.format(table="\n".join(table(measured))))
    figure, panels = plt.subplots(len(ROWS), len(AXES), figsize=(11, 13), sharey="row", squeeze=False)
    for row, (title, series, scale) in enumerate(ROWS):
        for column, (about, at) in enumerate(AXES):
            panel = panels[row][column]
            for metric, label in series:
                points = sorted((at(*key), values[metric]) for key, values in measured.items() if at(*key) is not None and metric in values)
                panel.plot([x for x, _ in points], [y for _, y in points], marker="o", markersize=4, label=label)
            panel.set_xscale("log")
            panel.set_yscale(scale)
            if scale == "linear":
                panel.set_ylim(bottom=0)
            panel.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:,.0f}"))
            panel.set_ylabel(title if column == 0 else "")
            if row == len(ROWS) - 1:
                panel.set_xlabel(about)
        panels[row][-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    figure.savefig(HERE / "growth.svg", metadata={"Date": None})


main()
