// Where `cuello app` serves this page it answers under /api; a page from a file asks nobody.
//   GET  /api/history  ->  [{"epoch": 1, "train": {"mse": 0.1}, "validation": {...} or null}, ...]
//   POST /api/labels   <-  {"labels": [{"row": 12, "label": "cat"}, ...]}, all given so far
//   POST /api/refit    <-  {}, -> {"said": "what became of it"}

const POLL = 2000; // milliseconds

async function ask(path, body) {
  const how = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
  const answer = await fetch(path, how);
  if (!answer.ok) throw new Error((await answer.text()).slice(0, 300) || answer.statusText);
  return answer.json();
}

async function setUpServed() {
  if (!location.protocol.startsWith("http")) return;
  let records;
  try { records = await ask("/api/history"); } catch { return; } // some other server: as from a file
  let known = records.length;
  labels.served = {
    async send() {
      try {
        await ask("/api/labels", { labels: [...labels.of].map(([i, label]) => ({ row: app.runs[0].row[i], label })) });
      } catch (error) { $("labels-text").textContent += ` Not saved: ${error.message}`; }
    },
    async refit() {
      $("refit-text").textContent += " The served run is fitting too.";
      try {
        await labels.served.send();
        $("refit-text").textContent += ` ${(await ask("/api/refit", {})).said || "It is done."}`;
      } catch (error) { $("refit-text").textContent += ` It could not: ${error.message}`; }
    },
  };
  setInterval(async () => {
    try { records = await ask("/api/history"); } catch { return; } // the server may come back
    if (records.length === known) return;
    known = records.length;
    liveCurve(records);
  }, POLL);
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
