// Label as you look: marked rows, their classes, a suggestion, and a classifier refitted on them.

const labels = { of: new Map(), before: [], classes: [], served: null }; // row -> class name

function setMarked(rows) {
  const plot = app.plots[0];
  plot.mark({ marked: new Set(rows) });
  const { run } = plot;
  $("marked-text").textContent = rows.length ? `${quantity(rows.length, "sample")} marked.` : "None. Draw a lasso around points, or mark a sample.";
  $("marked").replaceChildren(...rows.slice(0, 60).map((i) => thumb(run, i, (row) => look({ row, place: 0 }))));
  if (rows.length > 60) $("marked").append(make("span", { className: "caption", textContent: `and ${grouped(rows.length - 60)} more` }));
}

function setUpLabels() {
  const [plot] = app.plots, { run } = plot;
  labels.classes = run.classes ? [...run.classes.classes] : [];
  const marked = () => [...plot.marked];
  $("mark-one").addEventListener("click", () => { if (app.subject && app.subject.row !== undefined) setMarked([...new Set([...marked(), app.subject.row])]); });
  $("mark-view").addEventListener("click", () => setMarked(plot.inView()));
  $("mark-none").addEventListener("click", () => setMarked([]));
  $("mark-save").addEventListener("click", () => download("marked.csv", csv([
    ["row", "name", ...run.colourings.map((one) => one.name), ...Array.from({ length: run.latents }, (_, k) => `z${k}`)],
    ...marked().map((i) => [run.row[i], run.name(i), ...run.colourings.map((one) => (one.classes ? one.classes[one.values[i]] ?? "" : one.values[i])), ...run.embedding(i)]),
  ])));
  $("new-class").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("new-name").value.trim();
    if (name && !labels.classes.includes(name)) labels.classes.push(name);
    $("new-name").value = "";
    classButtons();
  });
  $("labels-undo").addEventListener("click", () => { if (labels.before.length) { labels.of = labels.before.pop(); describeLabels(); if (labels.served) labels.served.send(); } });
  $("labels-save").addEventListener("click", () => download("labels.csv", labelsCsv()));
  $("suggest").addEventListener("click", suggestRow);
  $("refit").addEventListener("click", refit);
  classButtons();
  setMarked([]);
  describeLabels();
}

// What `cuello fit --labels` reads: rows by name where they have names, else by number.
const labelsCsv = () => csv([["row", "label"], ...[...labels.of].map(([i, name]) => [app.runs[0].names ? app.runs[0].name(i) : app.runs[0].row[i], name])]);

function classButtons() {
  $("classes").replaceChildren(...labels.classes.map((name) => {
    const button = make("button", { type: "button", textContent: name });
    button.addEventListener("click", () => assignClass(name));
    return button;
  }));
}

function assignClass(name) {
  const [plot] = app.plots, one = app.subject && app.subject.row, rows = plot.marked.size ? [...plot.marked] : one === undefined || one === null ? [] : [one];
  const can = rows.filter((i) => plot.run.learnable[i]);
  labels.before.push(new Map(labels.of));
  for (const i of can) labels.of.set(i, name);
  if (plot.marked.size) setMarked([]);
  describeLabels(rows.length - can.length);
  if (labels.served) labels.served.send();
  if (rows.length === 1 && rows[0] === labels.suggested) suggestRow();
}

function describeLabels(refused = 0) {
  const counts = new Map();
  for (const name of labels.of.values()) counts.set(name, (counts.get(name) || 0) + 1);
  $("labels-text").textContent = (labels.of.size ? `${quantity(labels.of.size, "label")}: ${[...counts].map(([name, count]) => `${name} ${count}`).join(", ")}.` : "No label yet. A class goes to the marked samples or, without any, to the sample that is shown.")
    + (refused ? ` ${quantity(refused, "sample")} of the official test split cannot be labelled.` : "");
  $("labels-save").disabled = !labels.of.size;
  $("labels-undo").disabled = !labels.before.length;
}

// Of up to 1,000 rows without a label: the least certain one or, before a refit, the farthest from all labelled.
function suggestRow() {
  const run = app.runs[0], step = Math.max(1, Math.floor(run.n / 1000)), known = [...labels.of.keys()].map(run.embedding);
  const far = (embedding) => (known.length ? Math.min(...known.map((one) => one.reduce((sum, v, k) => sum + (v - embedding[k]) ** 2, 0))) : -Math.hypot(...embedding.map((v, k) => v - run.mean[k])));
  const doubt = (embedding) => { const shares = app.refit.probabilities(embedding).sort((a, b) => b - a); return (shares[1] ?? 0) - shares[0]; };
  let best = -1, most = -Infinity;
  for (let i = 0; i < run.n; i += step) {
    if (labels.of.has(i) || !run.learnable[i]) continue;
    const worth = (app.refit ? doubt : far)(run.embedding(i));
    if (worth > most) { most = worth; best = i; }
  }
  labels.suggested = best;
  if (best >= 0) look({ row: best, place: 0 });
}

function refit() {
  const run = app.runs[0], rows = [...labels.of.keys()], given = new Set(labels.of.values()), classes = labels.classes.filter((name) => given.has(name));
  if (classes.length < 2) { $("refit-text").textContent = "Give at least two classes a label first."; return; }
  const scale = Array.from({ length: run.latents }, (_, k) => deviation(run, k));
  const probabilities = fitLogistic(rows.map(run.embedding), rows.map((i) => classes.indexOf(labels.of.get(i))), classes.length, run.mean, scale);
  app.refit = { run, classes, probabilities };
  const predicted = new Int16Array(run.n), confidence = new Float32Array(run.n);
  let right = 0, judged = 0;
  for (let i = 0; i < run.n; i++) {
    const shares = probabilities(run.embedding(i));
    predicted[i] = shares.indexOf(Math.max(...shares));
    confidence[i] = shares[predicted[i]];
    const truth = run.className(i);
    if (truth !== null && !labels.of.has(i)) { judged++; right += truth === classes[predicted[i]]; }
  }
  setColourings("refit", classes, predicted, confidence);
  $("refit-text").textContent = `Logistic regression on the embeddings of ${quantity(rows.length, "label")}, ${classes.length} classes.`
    + (judged ? ` Of the ${grouped(judged)} other samples whose class the data has, it gets ${percent(right / judged)} right.` : "");
  if (labels.served) labels.served.refit();
}

function setColourings(who, classes, predicted, confidence) {
  const run = app.runs[0];
  run.colourings = run.colourings.filter((one) => !one.name.startsWith(who));
  run.colourings.push({ name: `${who} class`, classes, values: predicted }, { name: `${who} confidence`, classes: null, values: confidence });
  listColours();
  colourBy(`${who} class`);
}

function deviation(run, k) {
  let sum = 0, squares = 0;
  for (let i = 0; i < run.n; i++) { const v = run.embeddings[i * run.latents + k] - run.mean[k]; sum += v; squares += v * v; }
  return Math.sqrt(Math.max(squares / run.n - (sum / run.n) ** 2, 1e-12));
}
