// Rows as a reader sees them: images on canvases, columns in a table.

// Write bytes of an image, channels first, into the pixels of a canvas.
function paint(canvas, bytes, shape) {
  const [height, width] = shape.slice(-2), channels = shape.length > 2 ? shape[0] : 1, area = height * width;
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  for (let at = 0; at < area; at++) {
    for (let c = 0; c < 3; c++) {
      let value = bytes[at];
      if (channels === 3) value = bytes[c * area + at];
      else if (channels > 1) { value = 0; for (let k = 0; k < channels; k++) value += bytes[k * area + at] / channels; }
      pixels.data[4 * at + c] = value;
    }
    pixels.data[4 * at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

function picture(bytes, shape, label) {
  const canvas = paint(make("canvas", { className: "picture" }), bytes, shape);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  if (Math.max(canvas.width, canvas.height) < 64) canvas.classList.add("crisp");
  return canvas;
}

// The image in grey and, over it, orange where the squared error is large.
function overlay(run, bytes, shape, errors, label) {
  const [height, width] = shape.slice(-2), area = height * width;
  const canvas = picture(bytes, shape, label), context = canvas.getContext("2d");
  const pixels = context.getImageData(0, 0, width, height);
  const sums = new Float32Array(area);
  errors.forEach((error, at) => { sums[at % area] += error; });
  const largest = Math.max(...sums) || 1;
  for (let at = 0; at < area; at++) {
    const grey = 0.5 * (pixels.data[4 * at] + pixels.data[4 * at + 1] + pixels.data[4 * at + 2]) / 3;
    const heat = Math.sqrt(sums[at] / largest);
    [230, 120, 0].forEach((tint, c) => { pixels.data[4 * at + c] = grey * (1 - heat) + tint * heat; });
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

const titled = (shown, title, note = "") => make("figure", {}, shown, make("figcaption", { title }, title, make("small", { textContent: note })));

// A small picture of a row as a button; rows without one by their name.
function thumb(run, i, chosen, note = "") {
  const name = run.name(i), stored = run.image && run.stored(i);
  const button = make("button", { type: "button", className: "thumb-button", title: name });
  if (stored) button.append(picture(stored, run.rows.shape, ""));
  else button.append(make("span", { textContent: name }));
  if (note) button.append(make("small", { textContent: note }));
  button.setAttribute("aria-label", [name, run.className(i), note].filter(Boolean).join(", "));
  button.addEventListener("click", () => chosen(i));
  return button;
}

// Columns of a table: the row, what each run makes of it, and squared errors, largest first.
function columnTable(run, given, made) {
  const order = run.columns.map((_, k) => k);
  const errors = given && made[0].values ? run.errors(given, made[0].values) : null;
  if (errors) order.sort((a, b) => errors[b] - errors[a]);
  const largest = errors ? Math.max(...errors) || 1 : 1;
  const heads = ["column", ...(given ? ["value"] : []), ...made.filter((m) => m.values).map((m) => m.title), ...(errors ? ["squared error"] : [])];
  const body = make("tbody");
  for (const k of order) {
    const line = make("tr", {}, make("th", { scope: "row", textContent: run.columns[k] }));
    if (given) line.append(make("td", { className: "n", textContent: figure(given[k]) }));
    for (const one of made) if (one.values) line.append(make("td", { className: "n", textContent: figure(one.values[k]) }));
    if (errors) {
      const cell = make("td", { className: "n heat", textContent: figure(errors[k]) });
      cell.style.setProperty("--s", Math.sqrt(errors[k] / largest).toFixed(3));
      line.append(cell);
    }
    body.append(line);
  }
  const head = make("tr", {}, ...heads.map((text, k) => make("th", { scope: "col", className: k ? "n" : "", textContent: text })));
  return make("div", { className: "scroll columns-table", tabIndex: 0 }, make("table", {}, make("thead", {}, head), body));
}
