// The latent space in the report: points, and their floating card.

function latentSpace(points) {
  const groups = new Map(); // class code -> rows
  points.x.forEach((_, row) => {
    const code = points.label ? points.label[row] : 0;
    if (!groups.has(code)) groups.set(code, []);
    groups.get(code).push(row);
  });
  const codes = [...groups.keys()].sort((a, b) => (a < 0) - (b < 0) || a - b);
  const hidden = new Set();
  const nameOf = (code) => (code < 0 ? "unlabelled" : points.classes[code]);
  const look = (code, colour) => code < 0
    ? { color: colour.muted, symbol: "circle-open" }
    : { color: colour.classes[code % 8], symbol: SYMBOLS[Math.floor(code / 8) % 8] };
  // Numbers: one group, each point in the colour of its number.
  const shade = (colour) => points.value ? { symbol: "circle", color: points.value.map((v) => v ?? NaN), colorscale: "Cividis", showscale: true,
    colorbar: { thickness: 12, outlinewidth: 0, tickcolor: colour.muted } } : {};
  const chart = {
    id: "latent-chart",
    build: (colour, narrow) => ({
      data: codes.map((code) => ({
        x: groups.get(code).map((row) => points.x[row]), y: groups.get(code).map((row) => points.y[row]),
        type: "scatter", mode: "markers", hoverinfo: "none", visible: !hidden.has(code),
        marker: { ...look(code, colour), ...shade(colour), size: points.x.length > 1500 ? 5 : 7, opacity: 0.85, line: { width: code < 0 ? 1 : 0.4, color: code < 0 ? colour.muted : colour.paper } },
      })),
      layout: {
        height: narrow ? 380 : 540, showlegend: false, hovermode: "closest", margin: { l: 55, r: 12, t: 30, b: 45 },
        xaxis: axis(colour, wrap(points.axes[0], narrow ? 36 : 90)), yaxis: axis(colour, wrap(points.axes[1], narrow ? 36 : 60)),
      },
    }),
  };
  charts.push(chart);

  const numberOf = (row) => (points.value[row] === null ? "unlabelled" : String(points.value[row]));
  const card = pointer(points, points.label ? (row) => nameOf(points.label[row]) : points.value ? numberOf : null);
  const shown = (row) => points.x[row] !== null && points.y[row] !== null && !hidden.has(points.label ? points.label[row] : 0);
  const order = points.x.map((_, row) => row).sort((a, b) => points.x[a] - points.x[b] || a - b);
  const div = $("latent-chart");
  let at = -1;
  div.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") card.hide();
    if (!step || !order.some(shown)) return;
    event.preventDefault();
    if (at < 0 && step < 0) at = 0;
    do at = (at + step + order.length) % order.length; while (!shown(order[at]));
    card.show(order[at]);
  });
  div.addEventListener("blur", card.hide);
  chart.drawn = () => {
    div.on("plotly_hover", (event) => card.show(groups.get(codes[event.points[0].curveNumber])[event.points[0].pointNumber]));
    div.on("plotly_unhover", card.hide);
    div.on("plotly_relayout", card.hide);
  };
  if (points.label) chart.themed = legend($("latent-legend"), codes, nameOf, look, hidden, () => { card.hide(); draw(chart); });
}

// The floating card beside a point: its picture, cut from the sprite sheet, its name and class.
function pointer(points, className) {
  const holder = $("projection");
  const element = (kind) => {
    const made = holder.appendChild(document.createElement("div"));
    made.className = kind;
    made.hidden = true;
    return made;
  };
  const ring = element("ring"), card = element("card");
  card.id = "card";
  card.setAttribute("role", "status");
  const thumb = points.sprite && card.appendChild(document.createElement("div"));
  const name = card.appendChild(document.createElement("p"));
  const kind = className && card.appendChild(document.createElement("p"));
  if (thumb) {
    const { uri, columns, rows, width, height, crisp } = points.sprite;
    thumb.className = crisp ? "thumb crisp" : "thumb";
    Object.assign(thumb.style, { backgroundImage: `url("${uri}")`, width: width + "px", height: height + "px",
      backgroundSize: `${columns * width}px ${rows * height}px` });
  }
  return {
    show(row) {
      const { xaxis, yaxis } = $("latent-chart")._fullLayout;
      const x = xaxis._offset + xaxis.l2p(points.x[row]), y = yaxis._offset + yaxis.l2p(points.y[row]);
      if (thumb) {
        const { columns, width, height } = points.sprite;
        thumb.style.backgroundPosition = `${-(row % columns) * width}px ${-Math.floor(row / columns) * height}px`;
      }
      name.textContent = points.names[row];
      if (kind) kind.textContent = className(row);
      ring.hidden = card.hidden = false;
      Object.assign(ring.style, { left: x + "px", top: y + "px" });
      const left = x + 16 + card.offsetWidth > holder.clientWidth ? Math.max(0, x - 16 - card.offsetWidth) : x + 16;
      const top = Math.max(0, Math.min(y - 20, holder.clientHeight - card.offsetHeight));
      Object.assign(card.style, { left: Math.round(left) + "px", top: Math.round(top) + "px" });
    },
    hide() { ring.hidden = card.hidden = true; },
  };
}
