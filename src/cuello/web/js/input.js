// A row that is not in the run: drawn on a pad, dropped as an image file, or typed in.

function setUpInput() {
  const run = app.runs[0], panel = $("input");
  $("tab-input").textContent = run.image ? "Draw" : "Enter";
  if (!run.encode) panel.append(make("p", { className: "empty", textContent: "Rows cannot be entered here, as the encoder is not in this page." }));
  else if (run.image) setUpPad(run, panel);
  else setUpForm(run, panel);
}

function setUpPad(run, panel) {
  const [height, width] = run.shape.slice(-2), side = 224, scale = side / Math.max(height, width);
  const pad = make("canvas", { className: "pad", width: Math.round(width * scale), height: Math.round(height * scale), tabIndex: 0 });
  pad.setAttribute("role", "img");
  pad.setAttribute("aria-label", "Pad to draw on with a mouse, a pen or a finger");
  const context = pad.getContext("2d"), file = make("input", { type: "file", accept: "image/*", id: "file" });
  const invert = make("input", { type: "checkbox", id: "invert" }), clear = make("button", { type: "button", id: "pad-clear", textContent: "Clear" });
  const pen = make("input", { type: "range", min: 4, max: 40, value: Math.max(10, Math.min(40, Math.round(scale * 1.3))), id: "pen" });
  let source = null, name = "";

  const values = (from) => {
    const canvas = make("canvas", { width, height }), small = canvas.getContext("2d");
    small.imageSmoothingQuality = "high";
    small.drawImage(from, 0, 0, width, height);
    const pixels = small.getImageData(0, 0, width, height).data, area = height * width, channels = run.size / area;
    return Float32Array.from({ length: run.size }, (_, at) => {
      const pixel = 4 * (at % area), c = Math.floor(at / area);
      let value = channels === 3 ? pixels[pixel + c] : 0.299 * pixels[pixel] + 0.587 * pixels[pixel + 1] + 0.114 * pixels[pixel + 2];
      if (invert.checked && from !== pad) value = 255 - value;
      return run.bounds[0] + (value / 255) * (run.bounds[1] - run.bounds[0]);
    });
  };
  const update = () => look({ values: values(source || pad), place: 0, name: source ? name : "drawing" });
  const blank = () => {
    source = null;
    context.fillStyle = run.light ? "#fff" : "#000";
    context.fillRect(0, 0, pad.width, pad.height);
  };
  const spot = (event) => { const area = pad.getBoundingClientRect(); return [((event.clientX - area.left) * pad.width) / area.width, ((event.clientY - area.top) * pad.height) / area.height]; };
  let last = null;
  const stroke = (event) => {
    const next = spot(event);
    Object.assign(context, { lineWidth: Number(pen.value), lineCap: "round", lineJoin: "round", strokeStyle: run.light ? "#000" : "#fff" });
    context.beginPath();
    context.moveTo(...(last || next));
    context.lineTo(...next);
    context.stroke();
    last = next;
    source = null;
    update();
  };
  pad.addEventListener("pointerdown", (event) => { event.preventDefault(); if (source) blank(); pad.setPointerCapture(event.pointerId); last = null; stroke(event); });
  pad.addEventListener("pointermove", (event) => { if (last) stroke(event); });
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { last = null; });
  clear.addEventListener("click", blank);

  const message = make("p", { className: "caption", id: "input-text" });
  message.setAttribute("role", "status");
  async function take(chosen) {
    if (!chosen) return;
    try {
      source = await createImageBitmap(chosen);
    } catch {
      message.textContent = `${chosen.name} is not an image that this browser can read.`;
      return;
    }
    name = chosen.name;
    message.textContent = `${name}: ${source.width} x ${source.height} pixels, brought to ${width} x ${height}.`;
    context.drawImage(source, 0, 0, pad.width, pad.height);
    update();
  }
  file.addEventListener("change", () => take(file.files[0]));
  invert.addEventListener("change", () => { if (source) update(); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => { event.preventDefault(); if (event.dataTransfer.files.length) { $("tab-input").click(); take(event.dataTransfer.files[0]); } });
  panel.append(
    make("p", { className: "caption", textContent: "Draw, or drop an image file anywhere. The reconstruction is shown below the plot: a denoised version, its class, how unusual it is, and what it is most like." }),
    pad, make("p", { className: "row" }, clear, make("label", {}, "Pen ", pen)),
    make("p", { className: "row" }, make("label", { className: "file" }, "Image file ", file)), make("p", { className: "row" }, make("label", { className: "check" }, invert, " Invert the file")), message);
  blank();
}

function setUpForm(run, panel) {
  const middle = run.columns.map((_, k) => { // the median of the rows in this page
    const column = [];
    for (let i = 0; i < run.n; i++) { const found = run.values(i); if (found) column.push(found[k]); }
    return column.sort((a, b) => a - b)[column.length >> 1] ?? 0;
  });
  const inputs = run.columns.map((name, k) => make("input", { type: "number", step: "any", id: `input-${k}`, value: Number(middle[k].toPrecision(6)) }));
  const update = () => { if (inputs.every((input) => input.value !== "")) look({ values: Float32Array.from(inputs, (input) => Number(input.value)), place: 0, name: "typed in" }); };
  const fields = make("div", { className: "fields" });
  inputs.forEach((input, k) => {
    input.addEventListener("input", update);
    fields.append(make("label", { htmlFor: input.id, textContent: run.columns[k] }), input);
  });
  const copy = make("button", { type: "button", id: "copy-row", textContent: "Copy the chosen sample" });
  copy.addEventListener("click", () => {
    if (!app.subject || !app.subject.values) return;
    app.subject.values.forEach((value, k) => { inputs[k].value = Number(value.toPrecision(6)); });
    update();
  });
  panel.append(make("p", { className: "caption", textContent: "Type a row in; it starts at the median of every column. The reconstruction is shown below the plot." }), make("p", { className: "row" }, copy), fields);
}
