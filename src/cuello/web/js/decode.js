// Sliders for every latent, interpolation between two embeddings, and the decoded grid behind the points.

function setUpDecoding() {
  const run = app.runs[0], { low, step } = DATA.runs[0].embeddings;
  const sliders = Array.from({ length: run.latents }, (_, k) => {
    const high = low[k] + 65535 * step[k], spare = 0.1 * (high - low[k]) || 1;
    const input = make("input", { type: "range", id: `latent-${k}`, min: low[k] - spare, max: high + spare, step: "any", value: run.mean[k] });
    const output = make("output", { htmlFor: input.id });
    input.addEventListener("input", () => look({ embedding: Float32Array.from(sliders, (one) => one.input.value), place: 0 }));
    $("sliders").append(make("label", { htmlFor: input.id, textContent: `z${k}` }), input, output);
    return { input, output };
  });
  app.listeners.push((subject) => {
    if (subject.place || !app.embedding) return;
    sliders.forEach(({ input, output }, k) => { input.value = app.embedding[k]; output.textContent = figure(app.embedding[k]); });
  });
  describeDecoding();
  if (!run.decode) { $("interpolation").hidden = $("latents").hidden = $("grid-label").hidden = true; return; }
  setUpInterpolation(run);
  $("grid-label").hidden = !run.image;
  $("grid").addEventListener("change", () => app.plots.forEach(redrawGrid));
}

function describeDecoding() {
  const { decode, projection } = app.runs[0];
  $("decode-text").textContent = decode
    ? `Click anywhere in the plot to decode that point${projection.meaning && ": "}${projection.meaning}.`
    : "Nothing can be decoded here; the end of this page says why.";
}

function setUpInterpolation(run) {
  const ends = [null, null];
  const mixed = (t) => Float32Array.from(ends[0], (v, k) => (1 - t) * v + t * ends[1][k]);
  const go = () => look({ embedding: mixed(Number($("interpolation-at").value)), place: 0, name: `interpolated, ${percent(Number($("interpolation-at").value))}` });
  [["interpolation-from", 0], ["interpolation-to", 1]].forEach(([id, end]) => $(id).addEventListener("click", async () => {
    if (!app.embedding || app.subject.place) return;
    ends[end] = Float32Array.from(app.embedding);
    pressed([$("interpolation-from"), $("interpolation-to")].filter((_, k) => ends[k]), null);
    $(id).textContent = end ? "End set" : "Start set";
    if (!ends[0] || !ends[1]) return;
    $("interpolation-at").disabled = $("interpolation-play").disabled = false;
    app.plots[0].mark({ path: Array.from({ length: 33 }, (_, k) => mixed(k / 32)) }); // a projection may bend it
    await strip();
  }));
  async function strip() {
    const count = 9, embeddings = Array.from({ length: count }, (_, k) => mixed(k / (count - 1)));
    const rows = await run.decode(embeddings.flatMap((embedding) => [...embedding]), count);
    if (!run.image) return;
    $("interpolation-strip").replaceChildren(...embeddings.map((embedding, k) => {
      const share = k / (count - 1), button = make("button", { type: "button", className: "thumb-button" });
      button.append(picture(run.bytes(rows.slice(k * run.size, (k + 1) * run.size)), run.shape, percent(share)));
      button.addEventListener("click", () => { $("interpolation-at").value = share; go(); });
      return button;
    }));
  }
  $("interpolation-at").addEventListener("input", go);
  $("interpolation-play").addEventListener("click", () => {
    const began = performance.now();
    const frame = () => {
      const t = Math.min(1, (performance.now() - began) / 3000);
      $("interpolation-at").value = t;
      go();
      if (t < 1) requestAnimationFrame(frame);
    };
    frame();
  });
}

// Decode the middle of each cell of what is in view, as one picture below the points.
async function redrawGrid(plot) {
  const { run } = plot;
  if (!$("grid").checked || !run.decode || !run.image) { if (plot.grid) plot.setGrid(null); return; }
  const { x, y } = plot.view(), [height, width] = run.shape.slice(-2), { xaxis, yaxis } = plot.chart._fullLayout;
  const across = run.latents === 1 ? 12 : 14, cell = xaxis._length / across;
  const down = run.latents === 1 ? 1 : Math.max(2, Math.round(yaxis._length / ((cell * height) / width)));
  const embeddings = [];
  for (let r = 0; r < down; r++) for (let c = 0; c < across; c++) {
    embeddings.push(...run.embeddingAt(x[0] + ((c + 0.5) * (x[1] - x[0])) / across, y[1] - ((r + 0.5) * (y[1] - y[0])) / down));
  }
  const rows = await run.decode(embeddings, across * down), side = Math.max(1, Math.round(cell * 1.5)), high = Math.round((side * height) / width);
  const sheet = make("canvas", { width: across * side, height: down * high }), context = sheet.getContext("2d"), one = make("canvas");
  context.imageSmoothingEnabled = Math.max(height, width) > 64;
  for (let k = 0; k < across * down; k++) { // a gap shows where one ends
    paint(one, run.bytes(rows.slice(k * run.size, (k + 1) * run.size)), run.shape);
    context.drawImage(one, (k % across) * side + 2, Math.floor(k / across) * high + 2, side - 4, high - 4);
  }
  await plot.setGrid([{ source: sheet.toDataURL(), xref: "x", yref: "y", x: x[0], y: y[1], sizex: x[1] - x[0], sizey: y[1] - y[0], sizing: "stretch", layer: "below", opacity: 0.7 }]);
}
