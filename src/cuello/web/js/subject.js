// What is looked at: a row of the run, a point in the plot, or a row that was entered. Shown as the
// row itself, what each run makes of it, where it errs, and the rows most like it.

const app = { runs: [], plots: [], subject: null, embedding: null, listeners: [] };
const NEIGHBOURS = 8;

const changed = () => app.listeners.forEach((tell) => tell(app.subject));

// Complete a subject for one run: {embedding, values, error}, as far as they can be known.
async function throughRun(run, subject, place) {
  const own = place === subject.place;
  const seen = { embedding: null, values: null, error: null, title: app.runs.length > 1 ? run.title : "reconstruction" };
  if (subject.row !== undefined && (own || run.same_rows)) seen.embedding = run.embedding(subject.row);
  else if (own && subject.embedding) seen.embedding = subject.embedding;
  else if (subject.values && run.encode) seen.embedding = await run.encode(subject.values);
  if (seen.embedding && run.decode) seen.values = await run.decode(seen.embedding);
  if (seen.values && subject.values) seen.error = mean(run.errors(subject.values, seen.values));
  else if (subject.row !== undefined && (own || run.same_rows) && run.error) seen.error = run.error[subject.row];
  return seen;
}
const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

const look = latest(async (subject) => {
  const run = app.runs[subject.place ??= 0];
  const own = await throughRun(run, subject, subject.place);
  subject.values ??= subject.row === undefined ? null : run.values(subject.row);
  if (subject.values && own.values && own.error === null) own.error = mean(run.errors(subject.values, own.values));
  app.subject = subject;
  app.embedding = own.embedding;
  const seen = app.runs.map((_, place) => (place === subject.place ? own : null));
  show(subject, seen);
  // The others take the row or, at a point without one, the image that was decoded there.
  const given = { ...subject, values: subject.values ?? own.values };
  for (const [place, other] of app.runs.entries()) {
    if (!seen[place]) seen[place] = await throughRun(other, subject.row !== undefined && other.same_rows ? subject : given, place);
  }
  if (run.classify && given.values) subject.probabilities = await run.classify(given.values);
  if (run.regress && given.values) subject.number = (await run.regress(given.values))[0];
  if (run.scoreAnomaly && given.values && subject.row === undefined) subject.anomaly = await run.scoreAnomaly(given.values);
  show(subject, seen);
  changed();
});

function show(subject, seen) {
  const run = app.runs[subject.place], own = seen[subject.place], isRow = subject.row !== undefined;
  app.plots.forEach((plot, place) => {
    if (!seen[place] || !seen[place].embedding) return;
    const isOwn = place === subject.place && subject.spot;
    const [x, y] = isOwn ? subject.spot : plot.run.project(seen[place].embedding);
    const row = isRow && (place === subject.place || plot.run.same_rows) ? subject.row : -1;
    plot.mark({ here: row >= 0 ? null : [x, y ?? 0], row, near: place === subject.place ? subject.near ??= run.nearest(own.embedding, NEIGHBOURS, row) : [] });
  });
  const parts = run.image ? pictures(run, subject, seen) : run.sequences ? [] : [columnTable(run, subject.values, seen.filter(Boolean).map((one) => ({ ...one, title: subject.values ? one.title : app.runs.length > 1 ? one.title : "decoded" })))];
  const focused = $("subject").contains(document.activeElement), about = facts(run, subject, seen);
  $("subject").replaceChildren(...parts, about, neighbours(run, subject));
  if (focused) $("subject").querySelector("button")?.focus();
  $("announced").textContent = about.innerText.replace(/\n+/g, ", ");
}

function pictures(run, subject, seen) {
  const stored = subject.row !== undefined && run.stored(subject.row), shape = run.shape, shown = [];
  if (subject.values) shown.push(titled(picture(run.bytes(subject.values), shape, "original"), subject.row === undefined ? "input" : "original"));
  else if (stored) shown.push(titled(picture(stored, run.rows.shape, "original"), "original"));
  seen.forEach((one, place) => {
    if (!one || !one.values) return;
    const title = !subject.values && subject.row === undefined && place === subject.place ? "decoded here" : one.title;
    shown.push(titled(picture(run.bytes(one.values), shape, title), title));
    const seenAs = subject.values || (stored && small(run, one.values, stored));
    if (!seenAs) return;
    const errors = subject.values ? app.runs[place].errors(subject.values, one.values) : seenAs;
    const bytes = subject.values ? run.bytes(subject.values) : stored;
    shown.push(titled(overlay(run, bytes, subject.values ? shape : run.rows.shape, errors, `squared error of ${one.title}`), "squared error", one.error === null ? "" : figure(one.error)));
  });
  return shown;
}

// Squared errors of an image that is only kept smaller: of what was decoded, made as small.
function small(run, values, stored) {
  const [height, width] = run.rows.shape.slice(-2), channels = stored.length / height / width;
  const large = paint(make("canvas"), run.bytes(values), run.shape), canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d");
  context.drawImage(large, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height).data;
  return Float32Array.from(stored, (byte, at) => ((byte - pixels[4 * (at % (height * width)) + (channels === 3 ? Math.floor(at / height / width) : 0)]) / 255) ** 2);
}

function facts(run, subject, seen) {
  const list = make("dl", { className: "facts" }), own = seen[subject.place];
  const add = (term, text) => list.append(make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: text })));
  if (subject.row !== undefined) {
    add("row", run.name(subject.row));
    for (const one of run.colourings) {
      if (one.name === "reconstruction error") continue;
      const value = one.values[subject.row];
      add(one.name, one.classes ? one.classes[value] ?? "unlabelled" : Number.isFinite(value) ? figure(value) : "unlabelled");
    }
  } else add(subject.values ? "input" : "point", subject.name || run.project(own.embedding).map(figure).join(", "));
  seen.forEach((one, place) => {
    const of = app.runs[place], who = seen.length > 1 ? `, ${of.title}` : "";
    if (one && one.error !== null && of.error) add(`reconstruction error${who}`, `${figure(one.error)}, higher than in ${percent(of.below(one.error))} of the samples`);
    else if (one && one.error !== null) add(`reconstruction error${who}`, figure(one.error));
  });
  if (subject.row === undefined && subject.values) {
    const { anomaly } = subject, score = anomaly ? anomaly.scores[0] : run.anomalyScore && own.error !== null ? run.anomalyScore(own.error) : null;
    if (anomaly) add("anomaly score", `${figure(score)}, ${anomaly.anomalies[0] ? "an anomaly" : "no anomaly"}: one normal sample in ${figure(10 ** score)} is as anomalous`);
    else if (score !== null) add("anomaly score by that error", `${figure(score)}: one normal sample in ${figure(10 ** score)} has as large a one`);
  }
  if (subject.number !== undefined) add("predicted", figure(subject.number));
  const box = make("div", { className: "about" }, list);
  if (subject.probabilities) box.append(bars(run.outputs, subject.probabilities, "classifier"));
  const refitted = app.refit && own.embedding && app.refit.run === run ? app.refit.probabilities(own.embedding) : null;
  if (refitted) box.append(bars(app.refit.classes, refitted, "refit on your labels"));
  return box;
}

function bars(names, shares, title) {
  const order = [...names.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, 3);
  const list = make("ul", { className: "bars" });
  for (const k of order) {
    const line = make("li", {}, make("span", { textContent: names[k] }), make("span", { className: "n", textContent: percent(shares[k]) }));
    line.style.setProperty("--s", shares[k].toFixed(3));
    list.append(line);
  }
  return make("div", {}, make("p", { className: "caption", textContent: title }), list);
}

function neighbours(run, subject) {
  const list = make("div", { className: "thumbs" });
  for (const i of subject.near || []) list.append(thumb(run, i, (row) => look({ row, place: subject.place }), run.className(i) || ""));
  return make("div", { className: "near" }, make("p", { className: "caption", textContent: "nearest samples" }), list);
}
