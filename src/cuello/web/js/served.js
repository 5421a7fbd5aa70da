// What is more where `cuello app` serves this page; from a file nobody is asked. Labels are saved in
// the run folder as they are given, a refit is also one of the run itself, and the curve is live.

const POLL = 5000; // milliseconds
const MOST = 10000; // labels in a request

async function ask(path, body) {
  const how = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
  const answer = await fetch("/api/" + path, how);
  const content = await answer.json();
  if (answer.ok) return content;
  throw new Error(typeof content.detail === "string" ? content.detail : answer.statusText);
}

async function setUpServed() {
  if (!location.protocol.startsWith("http")) return;
  let info, history, given;
  try {
    info = await ask("info");
    history = await ask("history");
    given = await ask("labels");
  } catch { if (!info || !history) return; } // another server: as from a file
  const nested = (values, [size, ...rest]) => { // a flat row in the shape that it has
    if (!rest.length) return [...values];
    const part = values.length / size;
    return Array.from({ length: size }, (_, k) => nested(values.slice(k * part, (k + 1) * part), rest));
  };
  if (app.runs[0].anomalyScore) app.runs[0].scoreAnomaly = async (values) => {
    try { return await ask("anomalies", { samples: [nested(values, app.runs[0].shape)] }); } catch { return null; } // by its error, then
  };
  setInterval(async () => {
    try {
      const { epochs } = await ask(`history?since=${history.epochs.length}`);
      if (!epochs.length) return;
      history.epochs.push(...epochs);
      liveCurve(history.epochs);
    } catch { /* the server may come back */ }
  }, POLL);
  if (!given) return; // labels of this run are no classes
  const run = app.runs[0], at = new Map();
  for (let i = 0; i < run.n; i++) if (run.learnable[i]) at.set(run.row[i], i);
  let saved = new Map(Object.entries(given.labels).filter(([row]) => at.has(Number(row))).map(([row, name]) => [at.get(Number(row)), name]));
  labels.of = new Map(saved);
  for (const name of new Set(saved.values())) if (!labels.classes.includes(name)) labels.classes.push(name);
  classButtons();
  describeLabels();
  labels.served = { send: async () => {}, refit: () => servedRefit(run, info.labelable) };
  labels.served.send = async () => {
    const now = new Map(labels.of), changes = [];
    for (const [i, name] of now) if (saved.get(i) !== name) changes.push({ row: run.row[i], label: name });
    for (const i of saved.keys()) if (!now.has(i)) changes.push({ row: run.row[i], label: null });
    try {
      for (let k = 0; k < changes.length; k += MOST) await ask("labels", { labels: changes.slice(k, k + MOST) });
      saved = now;
    } catch (error) { $("labels-text").textContent += ` Not saved: ${error.message}`; }
  };
}

async function servedRefit(run, own) {
  const text = $("refit-text");
  text.append(" The run is fitting its classifier too.");
  try {
    await labels.served.send();
    const { classes, probabilities, accuracy, low, high, method } = await ask("refit", {});
    const of = (i) => probabilities[run.learnable[i] ? run.row[i] : own + run.row[i]];
    const predicted = new Int16Array(run.n), confidence = new Float32Array(run.n);
    for (let i = 0; i < run.n; i++) { predicted[i] = of(i).indexOf(Math.max(...of(i))); confidence[i] = of(i)[predicted[i]]; }
    setColourings("served", classes, predicted, confidence);
    text.append(` It is done (${method})${accuracy === null ? "" : `: ${percent(accuracy)} right on labels held out, ${percent(low)} to ${percent(high)} with 95 % confidence`}.`);
  } catch (error) { text.append(` It could not: ${error.message}`); }
}

function liveCurve(records) {
  const total = (part) => (part ? part.total ?? part.loss ?? Object.values(part).reduce((sum, v) => sum + v, 0) : null);
  const panel = { title: "Total loss", train: records.map((one) => total(one.train)), validation: records.some((one) => one.validation) ? records.map((one) => total(one.validation)) : null };
  panel.positive = [...panel.train, ...(panel.validation || [])].every((v) => v === null || v > 0);
  if (!$("curve-0")) $("curves").append(make("div", { className: "chart", id: "curve-0" }));
  const at = charts.findIndex((chart) => chart.id === "curve-0");
  if (at >= 0) charts.splice(at, 1);
  curves({ epochs: records.map((one) => one.epoch), best: null, panels: [panel], rate: null });
  draw(charts.find((chart) => chart.id === "curve-0"));
}
