// Sliders for every latent, a walk between two codes, and the decoded grid behind the points.

function setUpDecoding() {
  const run = app.runs[0], { low, step } = DATA.runs[0].codes;
  const sliders = Array.from({ length: run.latents }, (_, k) => {
    const high = low[k] + 65535 * step[k], spare = 0.1 * (high - low[k]) || 1;
    const input = make("input", { type: "range", id: `latent-${k}`, min: low[k] - spare, max: high + spare, step: "any", value: run.mean[k] });
    const output = make("output", { htmlFor: input.id });
    input.addEventListener("input", () => look({ code: Float32Array.from(sliders, (one) => one.input.value), place: 0 }));
    $("sliders").append(make("label", { htmlFor: input.id, textContent: `z${k}` }), input, output);
    return { input, output };
  });
  app.listeners.push((subject) => {
    if (subject.place || !app.code) return;
    sliders.forEach(({ input, output }, k) => { input.value = app.code[k]; output.textContent = figure(app.code[k]); });
  });
  sayDecoding();
  if (!run.decode) { $("walk").hidden = $("latents").hidden = $("grid-label").hidden = true; return; }
  setUpWalk(run);
  $("grid-label").hidden = !run.image;
  $("grid").addEventListener("change", () => app.maps.forEach(redrawGrid));
}

function sayDecoding() {
  const { decode, plane } = app.runs[0];
  $("decode-how").textContent = decode
    ? `Click anywhere on the map to decode that place${plane.meaning && ": "}${plane.meaning}.`
    : "Nothing can be decoded here; the end of this page says why.";
}

function setUpWalk(run) {
  const ends = [null, null];
  const mixed = (t) => Float32Array.from(ends[0], (v, k) => (1 - t) * v + t * ends[1][k]);
  const go = () => look({ code: mixed(Number($("walk-at").value)), place: 0, name: `on the walk, ${percent(Number($("walk-at").value))}` });
  [["walk-from", 0], ["walk-to", 1]].forEach(([id, end]) => $(id).addEventListener("click", async () => {
    if (!app.code || app.subject.place) return;
    ends[end] = Float32Array.from(app.code);
    pressed([$("walk-from"), $("walk-to")].filter((_, k) => ends[k]), null);
    $(id).textContent = end ? "End set" : "Start set";
    if (!ends[0] || !ends[1]) return;
    $("walk-at").disabled = $("walk-play").disabled = false;
    app.maps[0].mark({ walk: Array.from({ length: 33 }, (_, k) => mixed(k / 32)) }); // a map may bend it
    await strip();
  }));
  async function strip() {
    const count = 9, codes = Array.from({ length: count }, (_, k) => mixed(k / (count - 1)));
    const rows = await run.decode(codes.flatMap((code) => [...code]), count);
    if (!run.image) return;
    $("walk-strip").replaceChildren(...codes.map((code, k) => {
      const share = k / (count - 1), button = make("button", { type: "button", className: "thumb-button" });
      button.append(picture(run.bytes(rows.slice(k * run.size, (k + 1) * run.size)), run.shape, percent(share)));
      button.addEventListener("click", () => { $("walk-at").value = share; go(); });
      return button;
    }));
  }
  $("walk-at").addEventListener("input", go);
  $("walk-play").addEventListener("click", () => {
    const began = performance.now();
    const frame = () => {
      const t = Math.min(1, (performance.now() - began) / 3000);
      $("walk-at").value = t;
      go();
      if (t < 1) requestAnimationFrame(frame);
    };
    frame();
  });
}

// Decode the middle of each cell of what is in view, as one picture below the points.
async function redrawGrid(map) {
  const { run } = map;
  if (!$("grid").checked || !run.decode || !run.image) { if (map.grid) map.setGrid(null); return; }
  const { x, y } = map.view(), [height, width] = run.shape.slice(-2), { xaxis, yaxis } = map.chart._fullLayout;
  const across = run.latents === 1 ? 12 : 14, cell = xaxis._length / across;
  const down = run.latents === 1 ? 1 : Math.max(2, Math.round(yaxis._length / ((cell * height) / width)));
  const codes = [];
  for (let r = 0; r < down; r++) for (let c = 0; c < across; c++) {
    codes.push(...run.codeAt(x[0] + ((c + 0.5) * (x[1] - x[0])) / across, y[1] - ((r + 0.5) * (y[1] - y[0])) / down));
  }
  const rows = await run.decode(codes, across * down), side = Math.max(1, Math.round(cell * 1.5)), high = Math.round((side * height) / width);
  const sheet = make("canvas", { width: across * side, height: down * high }), context = sheet.getContext("2d"), one = make("canvas");
  context.imageSmoothingEnabled = Math.max(height, width) > 64;
  for (let k = 0; k < across * down; k++) { // a gap shows where one ends
    paint(one, run.bytes(rows.slice(k * run.size, (k + 1) * run.size)), run.shape);
    context.drawImage(one, (k % across) * side + 2, Math.floor(k / across) * high + 2, side - 4, high - 4);
  }
  await map.setGrid([{ source: sheet.toDataURL(), xref: "x", yref: "y", x: x[0], y: y[1], sizex: x[1] - x[0], sizey: y[1] - y[0], sizing: "stretch", layer: "below", opacity: 0.7 }]);
}
