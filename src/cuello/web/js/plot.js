// The latent space: Plotly draws axes and lets the view be moved; points, pointing, clicking and the
// lasso are ours, as a click counts where no point is, too.

const NEAR = 8; // pixels
const MOST_TRACES = 40; // of more classes none can be hidden, and no legend could be read

// Points of thousands are too small to tell shapes apart: past eight classes, colours go to the ink's.
function further(tint, ink, code) {
  if (code < 8) return tint;
  const part = (text, k) => parseInt(text.slice(1 + 2 * k, 3 + 2 * k), 16), share = 0.4 + 0.3 * (Math.floor(code / 8) % 2 === 0);
  return "#" + [0, 1, 2].map((k) => Math.round(part(tint, k) * (1 - share) + part(ink, k) * share).toString(16).padStart(2, "0")).join("");
}

function createPlot(run, host, { picked, lassoed }) {
  const chart = make("div", { className: "chart", tabIndex: 0 });
  const marks = make("canvas", { className: "marks" }), card = make("div", { className: "card", hidden: true });
  const box = make("div", { className: "latent-plot" }, chart, marks, card), names = make("div", { className: "legend" });
  names.setAttribute("role", "group");
  names.setAttribute("aria-label", "Classes in the plot");
  chart.setAttribute("role", "application");
  chart.setAttribute("aria-label", `Latent space of ${run.title}: arrow keys move a cross, Enter decodes there`);
  host.append(box, names);

  const plot = { run, chart, mode: "off", snap: true, colouring: run.colourings[0] || null, hidden: new Set(), here: null, row: -1, near: [], marked: new Set(), path: null, grid: false };
  let groups = [], tints = null, swatches = null, drawn = false, cross = null, lasso = null;
  const strip = run.latents === 1;

  const valueOf = (i) => (plot.colouring && plot.colouring.classes ? plot.colouring.values[i] : 0);
  const shown = (i) => !plot.hidden.has(valueOf(i));
  const look = (code, colour) => code < 0 ? { color: colour.muted, symbol: "circle" }
    : { color: further(colour.classes[code % 8], colour.ink, code), symbol: SYMBOLS[Math.floor(code / 8) % 8] };

  const apart = () => plot.colouring && plot.colouring.classes && plot.colouring.classes.length <= MOST_TRACES;

  const tinted = (colour) => { // which mark each point gets, and how the marks look
    const { values, classes } = plot.colouring || {};
    if (!values) return { key: () => 0, look: () => ({ color: colour.ours, symbol: "circle", opacity: 0.85 }) };
    const missing = { color: colour.muted, symbol: "circle", opacity: 0.35 };
    if (classes) return { key: (i) => values[i], look: (code) => (code < 0 ? missing : { ...look(code, colour), opacity: 0.8 }) };
    // A few extreme numbers would leave all others in one colour.
    const known = Float32Array.from(values.filter(Number.isFinite)).sort(), low = known[Math.floor(known.length * 0.01)], high = known[Math.floor((known.length - 1) * 0.99)];
    const key = (i) => (Number.isFinite(values[i]) ? Math.round(255 * Math.max(0, Math.min(1, (values[i] - low) / (high - low || 1)))) : -1);
    return { key, low, high, look: (step) => (step < 0 ? missing : { color: onScale(step), symbol: "circle", opacity: 0.85 }) };
  };
  plot.points = createPoints(chart, run, {
    passes: (paint) => {
      for (const group of groups) for (let i = 0; i < run.n; i++) if ((group === null || plot.colouring.values[i] === group) && shown(i)) paint(i, tints.key(i));
    },
    look: (key) => tints.look(key),
  });

  // What Plotly knows of the points: how far they reach, for the axes, and the scale of their colours.
  function reach(colour) {
    const ends = [run.x, run.y].map((values) => values.reduce((found, v, i) => (shown(i) ? [Math.min(found[0], v), Math.max(found[1], v)] : found), [Infinity, -Infinity]));
    const { low, high } = tints;
    return { type: "scatter", mode: "markers", hoverinfo: "skip", x: ends[0].filter(Number.isFinite), y: ends[1].filter(Number.isFinite), opacity: 0,
      marker: low === undefined ? {} : { color: [low, high], cmin: low, cmax: high, colorscale: CIVIDIS.map((tint, k) => [k / (CIVIDIS.length - 1), tint]), showscale: true,
        colorbar: { thickness: 10, outlinewidth: 0, tickcolor: colour.muted, len: 0.9, title: { text: plain(plot.colouring.name), side: "right" } } } };
  }

  plot.draw = () => {
    const colour = theme(), narrow = chart.clientWidth < 480;
    const height = narrow ? 320 : Math.max(320, Math.min(620, innerHeight - 400));
    const titles = run.projection.titles.map((text) => wrap(narrow ? text.replace(" principal component", " component") : text, 60));
    tints = tinted(colour);
    groups = apart() ? [...new Set(plot.colouring.values)].sort((a, b) => (a < 0) - (b < 0) || a - b) : [null];
    Plotly.react(chart, [reach(colour)], {
      width: chart.clientWidth, height: strip ? Math.min(height, 300) : height, margin: { l: 50, r: 12, t: 8, b: 42 }, paper_bgcolor: colour.paper, plot_bgcolor: colour.paper,
      font: { family: FONT, size: 12, color: colour.ink }, showlegend: false, hovermode: false, uirevision: run.projection.name,
      dragmode: dragging(), images: plot.grid || [],
      xaxis: axis(colour, titles[0], { showgrid: !plot.grid }),
      yaxis: axis(colour, titles[1] || "", strip ? { showticklabels: false, ticks: "", showgrid: false, fixedrange: true, range: [-0.8, 0.8] } : { showgrid: !plot.grid }),
    }, { ...CONFIG, displayModeBar: false, scrollZoom: true });
    if (!drawn) for (const event of ["plotly_afterplot", "plotly_relayouting", "plotly_relayout"]) chart.on(event, follow);
    drawn = true;
    if (swatches) swatches();
    plot.points.draw();
    redrawMarks();
  };
  plot.colourBy = (name) => {
    plot.colouring = run.colourings.find((one) => one.name === name) || run.colourings[0] || null;
    plot.hidden.clear();
    plot.draw();
    names.replaceChildren();
    const classes = plot.colouring && plot.colouring.classes;
    swatches = apart() ? legend(names, groups, (code) => (code < 0 ? "unlabelled" : classes[code]), look, plot.hidden, plot.draw) : null;
    if (swatches) swatches();
  };
  const dragging = () => (plot.mode === "zoom" || plot.mode === "pan" ? plot.mode : false);
  plot.setMode = (mode) => {
    plot.mode = mode;
    chart.classList.toggle("lasso", mode === "lasso");
    return Plotly.relayout(chart, { dragmode: dragging() });
  };
  plot.resetView = () => Plotly.relayout(chart, { "xaxis.autorange": true, ...(strip ? {} : { "yaxis.autorange": true }) });
  plot.view = () => ({ x: [...chart._fullLayout.xaxis.range], y: [...chart._fullLayout.yaxis.range] });
  plot.setGrid = (images) => { plot.grid = images; return Plotly.relayout(chart, { images: images || [], "xaxis.showgrid": !images, "yaxis.showgrid": !images && !strip }); };
  plot.inView = () => {
    const { x, y } = plot.view(), found = [];
    for (let i = 0; i < run.n; i++) if (shown(i) && run.x[i] >= x[0] && run.x[i] <= x[1] && run.y[i] >= y[0] && run.y[i] <= y[1]) found.push(i);
    return found;
  };

  // Where a place of the plot is on the screen, and the other way round.
  const axes = () => [chart._fullLayout.xaxis, chart._fullLayout.yaxis];
  const toScreen = (x, y) => { const [ax, ay] = axes(); return [ax._offset + ax.l2p(x), ay._offset + ay.l2p(y)]; };
  const toData = (px, py) => { const [ax, ay] = axes(); return [ax.p2d(px - ax._offset), ay.p2d(py - ay._offset)]; };
  const inside = (px, py) => { const [ax, ay] = axes(); return px >= ax._offset && px <= ax._offset + ax._length && py >= ay._offset && py <= ay._offset + ay._length; };
  const at = (event) => { const area = chart.getBoundingClientRect(); return [event.clientX - area.left, event.clientY - area.top]; };
  plot.toScreen = toScreen;
  plot.nearest = (px, py) => {
    const [x, y] = toData(px, py), [ax, ay] = axes();
    const sx = ax._length / Math.abs(ax.range[1] - ax.range[0]), sy = ay._length / Math.abs(ay.range[1] - ay.range[0]);
    let best = -1, least = NEAR ** 2;
    for (let i = 0; i < run.n; i++) {
      const dx = (run.x[i] - x) * sx;
      if (dx > NEAR || dx < -NEAR) continue;
      const far = dx * dx + ((run.y[i] - y) * sy) ** 2;
      if (far <= least && shown(i)) { least = far; best = i; }
    }
    return best;
  };

  // Several events of a gesture in a frame are one.
  let frame = 0;
  function follow() {
    frame ||= requestAnimationFrame(() => { frame = 0; plot.points.follow(); redrawMarks(); });
  }

  function redrawMarks() {
    if (!chart._fullLayout) return;
    const colour = theme(), [ax, ay] = axes(), scale = devicePixelRatio || 1, context = marks.getContext("2d");
    const { width, height } = chart._fullLayout;
    if (marks.width !== Math.round(width * scale) || marks.height !== Math.round(height * scale)) { // or it would be made anew
      Object.assign(marks, { width: Math.round(width * scale), height: Math.round(height * scale) });
      Object.assign(marks.style, { width: width + "px", height: height + "px" });
    }
    context.reset();
    context.scale(scale, scale);
    context.beginPath();
    context.rect(ax._offset, ay._offset, ax._length, ay._length);
    context.clip();
    // Each line twice: a wide one in the colour of the paper keeps it apart from the points.
    const line = (path, tint, width) => {
      for (const [style, wide] of [[colour.paper, width + 3], [tint, width]]) {
        context.beginPath();
        path();
        Object.assign(context, { strokeStyle: style, lineWidth: wide });
        context.stroke();
      }
    };
    const ring = (i, radius, tint, width) => line(() => context.arc(...toScreen(run.x[i], run.y[i]), radius, 0, 7), tint, width);
    for (const i of plot.marked) ring(i, 4, colour.validation, 1.5);
    if (plot.path) line(() => plot.path.forEach((embedding) => { const [x, y] = run.project(embedding); context.lineTo(...toScreen(x, y ?? 0)); }), colour.ink, 1.5);
    for (const i of plot.near) ring(i, 6, colour.ours, 1.5);
    if (plot.row >= 0) ring(plot.row, 8, colour.ink, 2);
    for (const [spot, size] of [[plot.here, 11], [cross, 7]]) {
      if (!spot) continue;
      const [px, py] = toScreen(...spot);
      line(() => { context.moveTo(px - size, py); context.lineTo(px + size, py); context.moveTo(px, py - size); context.lineTo(px, py + size); }, colour.ink, 2);
    }
    if (lasso) line(() => lasso.forEach((point) => context.lineTo(...point)), colour.ink, 1.5);
  }
  plot.mark = (changes) => { Object.assign(plot, changes); redrawMarks(); };

  function hover(event) {
    const [px, py] = at(event), i = lasso || !inside(px, py) ? -1 : plot.nearest(px, py);
    card.hidden = i < 0;
    if (i < 0) return;
    const stored = run.image && run.stored(i);
    card.replaceChildren(...(stored ? [picture(stored, run.rows.shape, "")] : []), make("p", { textContent: run.name(i) }));
    if (run.className(i)) card.append(make("p", { textContent: run.className(i) }));
    const [x, y] = toScreen(run.x[i], run.y[i]), right = x + 16 + card.offsetWidth > box.clientWidth;
    Object.assign(card.style, { left: `${Math.max(0, right ? x - 16 - card.offsetWidth : x + 16)}px`, top: `${Math.max(0, Math.min(y - 20, box.clientHeight - card.offsetHeight))}px` });
  }
  const pick = (x, y, i) => picked(plot, plot.snap && i >= 0 ? { row: i } : { embedding: run.embeddingAt(x, y), spot: [x, y] });

  let down = null;
  chart.addEventListener("pointermove", (event) => {
    if (lasso) { lasso.push(at(event)); redrawMarks(); event.stopPropagation(); } else if (!down) hover(event);
  }, true);
  chart.addEventListener("pointerleave", () => { card.hidden = true; });
  chart.addEventListener("pointerdown", (event) => {
    const [px, py] = at(event);
    if (event.button || !inside(px, py)) return;
    card.hidden = true;
    down = [event.clientX, event.clientY];
    if (plot.mode !== "lasso") return;
    lasso = [[px, py]];
    chart.setPointerCapture(event.pointerId);
    event.stopPropagation();
  }, true);
  // Plotly covers the page while it drags, so the end is heard at the window, before anybody else.
  addEventListener("pointerup", (event) => {
    if (!down) return;
    const loop = lasso, [px, py] = at(event); // a lasso ends where it began, a click never went far
    const still = loop ? loop.every(([x, y]) => Math.hypot(x - px, y - py) < 5) : Math.hypot(event.clientX - down[0], event.clientY - down[1]) < 5;
    down = lasso = null;
    if (still) pick(...toData(px, py), plot.nearest(px, py));
    else if (loop) lassoed(plot, within(loop));
    redrawMarks();
  }, true);
  addEventListener("pointercancel", () => { down = lasso = null; });

  // Even-odd rule: a ray from a point inside crosses the line an odd number of times.
  function within(loop) {
    const found = [];
    for (let i = 0; i < run.n; i++) {
      if (!shown(i)) continue;
      const [x, y] = toScreen(run.x[i], run.y[i]);
      let odd = false;
      for (let a = 0, b = loop.length - 1; a < loop.length; b = a++) {
        const [ax, ay] = loop[a], [bx, by] = loop[b];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
      }
      if (odd) found.push(i);
    }
    return found;
  }

  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    const { x, y } = plot.view();
    cross ??= plot.here || [(x[0] + x[1]) / 2, (y[0] + y[1]) / 2];
    if (step) cross = [cross[0] + (step[0] * (x[1] - x[0])) / 40, cross[1] + (step[1] * (y[1] - y[0])) / 40];
    else pick(...cross, plot.nearest(...toScreen(...cross)));
    redrawMarks();
  });
  chart.addEventListener("blur", () => { cross = null; redrawMarks(); });
  return plot;
}
