// The charts of a cuello report. Everything drawn is in #data; Plotly.js is in #plotly, compressed.
"use strict";

const $ = (id) => document.getElementById(id);
const DATA = JSON.parse($("data").textContent);
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

// Okabe and Ito's colours, which colour-blind readers can tell apart; yellow is darker on white.
const COLOURS = {
  light: ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#1b1f23", "#b3a000"],
  dark: ["#3d9be0", "#e69f00", "#00b583", "#e8702a", "#9ad4f5", "#dc8fba", "#e6e8ea", "#f0e442"],
};
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "x", "cross", "star", "triangle-down"];
const SHAPES = {
  circle: "M8 2a6 6 0 1 0 .01 0z", square: "M3 3h10v10h-10z", diamond: "M8 1l7 7-7 7-7-7z",
  "triangle-up": "M8 2l7 12h-14z", x: "M3 1l5 5 5-5 2 2-5 5 5 5-2 2-5-5-5 5-2-2 5-5-5-5z",
  cross: "M6 1h4v5h5v4h-5v5h-4v-5h-5v-4h5z", "triangle-down": "M8 14l7-12h-14z",
  star: "M8 1l2 5h5l-4 3.500 1.500 5.500-4.500-3.500-4.500 3.500 1.500-5.500-4-3.500h5z",
};

// A closed list of buttons: Plotly's own list has one that sends the chart's data to a server.
const CONFIG = {
  displaylogo: false, showSendToCloud: false, plotlyServerURL: "", showTips: false,
  modeBarButtons: [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
};

const charts = []; // {id, build(colour, narrow) -> {data, layout}}
let printing = false;

// Names are data: Plotly would read some tags in them.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const short = (text, longest) => (text.length > longest ? text.slice(0, longest - 1) + "…" : text);
const wrap = (text, width) => plain(String(text).replace(new RegExp(`(.{1,${width}})( +|$)`, "g"), "$1\n").trim()).replace(/\n/g, "<br>");

function theme() {
  const style = getComputedStyle(document.documentElement);
  const dark = !printing && matchMedia("(prefers-color-scheme: dark)").matches;
  const ink = { ink: "#000", muted: "#444", grid: "#ddd", paper: "#fff", ours: "#0072b2", baseline: "#57606a",
    train: "#0072b2", validation: "#c24e00" };
  if (!printing) for (const name in ink) ink[name] = style.getPropertyValue("--" + name).trim();
  return { ...ink, classes: dark ? COLOURS.dark : COLOURS.light };
}

function axis(colour, title, more) {
  return { title: { text: title, standoff: 8 }, gridcolor: colour.grid, linecolor: colour.muted, tickcolor: colour.muted,
    zeroline: false, automargin: true, ticks: "outside", ticklen: 4, ...more };
}

function draw(only) {
  const colour = theme();
  for (const chart of charts) {
    if (only && chart !== only) continue;
    const div = $(chart.id);
    const width = printing ? Math.min(div.clientWidth, 680) : div.clientWidth;
    const { data, layout } = chart.build(colour, width < 560);
    const all = {
      width, height: 300, margin: { l: 55, r: 12, t: 34, b: 45 }, paper_bgcolor: colour.paper, plot_bgcolor: colour.paper,
      font: { family: FONT, size: 12, color: colour.ink }, hoverlabel: { font: { family: FONT } }, uirevision: "kept",
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", ...layout,
    };
    Plotly.react(div, data, all, CONFIG);
  }
}

function fewLabels({ rows, axis: title, unit, scatter }) {
  if (rows) methods(rows, title, unit);
  if (scatter) predictions(scatter);
}

function methods(rows, title, unit) {
  const value = unit ? `%{x:.1f} ${unit}` : "%{x:.3f}";
  const last = rows.length - 1;
  const build = (colour, narrow) => {
    const look = (row) => (row.ours ? colour.ours : colour.baseline);
    const draws = { x: [], y: [], name: "one repeat", type: "scatter", mode: "markers", hoverinfo: "x",
      marker: { size: 5, opacity: 0.6, color: [] } };
    rows.forEach((row, place) => row.draws.forEach((value) => {
      draws.x.push(value);
      draws.y.push(last - place - 0.25);
      draws.marker.color.push(look(row));
    }));
    const means = [["baselines", false], ["methods of cuello", true]].map(([name, ours]) => {
      const places = rows.map((_, place) => place).filter((place) => rows[place].ours === ours);
      const tint = ours ? colour.ours : colour.baseline;
      return {
        x: places.map((p) => rows[p].mean), y: places.map((p) => last - p), name, type: "scatter", mode: "markers",
        error_x: { array: places.map((p) => rows[p].sd), color: tint, thickness: 1.5, width: 5 },
        marker: { size: 10, color: ours ? tint : colour.paper, symbol: ours ? "circle" : "square", line: { color: tint, width: 2 } },
        text: places.map((p) => plain(rows[p].name)), hovertemplate: `%{text}: ${value}<extra></extra>`,
      };
    });
    const label = (row) => {
      const name = plain(short(row.name, 40)) + (row.labels ? (narrow ? "<br>" : ", ") + plain(row.labels) : "");
      const lines = narrow ? name.replace(/ (?=logistic|at a|fine|scratch|frozen)/, "<br>") : name;
      return row.best ? `<b>${lines}</b>` : lines;
    };
    return {
      data: [draws, ...means.filter((trace) => trace.x.length)],
      layout: {
        height: 110 + 42 * rows.length,
        xaxis: axis(colour, plain(title)),
        yaxis: axis(colour, "", { tickvals: rows.map((_, p) => last - p), ticktext: rows.map(label), range: [-0.6, last + 0.5],
          ticks: "", fixedrange: true }),
        legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", traceorder: "normal" },
      },
    };
  };
  charts.push({ id: "few-labels-chart", build });
}

function predictions({ name, true: x, predicted: y }) {
  const ends = [Math.min(...x, ...y), Math.max(...x, ...y)];
  const build = (colour, narrow) => ({
    data: [
      { x: ends, y: ends, name: "right", type: "scatter", mode: "lines", hoverinfo: "skip", line: { color: colour.muted, width: 1, dash: "dash" } },
      { x, y, name: "a sample", type: "scatter", mode: "markers", marker: { color: colour.ours, size: x.length > 500 ? 5 : 7, opacity: 0.55 },
        hovertemplate: "true %{x:.4~g}, predicted %{y:.4~g}<extra></extra>" },
    ],
    layout: { height: narrow ? 360 : 460, showlegend: false, hovermode: "closest",
      xaxis: axis(colour, `true ${plain(name)}`), yaxis: axis(colour, `predicted ${plain(name)}`) },
  });
  charts.push({ id: "scatter-chart", build });
}

function curves({ epochs, best, panels, rate }) {
  let log = false;
  const mode = epochs.length > 30 ? "lines" : "lines+markers";
  const line = (y, name, color, dash, shape) => ({ x: epochs, y, name, type: "scatter", mode, line: { color, width: 1.8, dash, shape }, marker: { size: 5 } });
  const axes = (colour, title, more) => ({
    xaxis: axis(colour, "epoch", epochs.length < 10 ? { tickvals: epochs } : {}),
    yaxis: axis(colour, title, { tickformat: "~g", ...more }),
    hovermode: "x unified", showlegend: true, legend: { orientation: "h", x: 1, xanchor: "right", y: 1, yanchor: "bottom" },
  });
  const heading = (text) => ({ text: plain(short(text, 40)), x: 0, xref: "paper", font: { size: 13 }, y: 1, yref: "paper", yanchor: "bottom", pad: { b: 10 } });
  panels.forEach((panel, place) => {
    const build = (colour) => {
      const data = [line(panel.train, "train", colour.train, "dot")];
      if (panel.validation) data.push(line(panel.validation, "validation", colour.validation, "solid"));
      const scale = log && panel.positive ? { type: "log", dtick: "D2", minor: { ticks: "" } } : { type: "linear" };
      const layout = { ...axes(colour, "", scale), title: heading(panel.title), height: place ? 250 : 330 };
      if (place === 0 && best !== null) {
        layout.shapes = [{ type: "line", x0: best, x1: best, yref: "paper", y0: 0, y1: 1, line: { color: colour.muted, width: 1, dash: "dash" } }];
        const right = epochs.indexOf(best) < epochs.length / 2;
        layout.annotations = [{ x: best, y: 1, yref: "paper", yanchor: "top", xanchor: right ? "left" : "right", showarrow: false, xshift: right ? 4 : -4,
          text: `best epoch: ${best}`, font: { color: colour.muted } }];
      }
      return { data, layout };
    };
    charts.push({ id: `curve-${place}`, build });
  });
  if (rate) {
    const build = (colour) => ({ data: [line(rate, "learning rate", colour.ink, "solid", "hv")],
      layout: { ...axes(colour, ""), title: heading("Learning rate"), showlegend: false, height: 250 } });
    charts.push({ id: "rate-chart", build });
  }
  if ($("log")) $("log").onclick = () => {
    log = !log;
    $("log").setAttribute("aria-pressed", String(log));
    draw();
  };
}

