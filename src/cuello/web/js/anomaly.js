// Anomalies: rows by score, with a threshold that moves.

const PAGE = 24;

function setUpAnomalies() {
  const run = app.runs[0], scores = run.colourings.filter((one) => one.name === "anomaly score" || one.name === "reconstruction error");
  if (!scores.length) {
    $("anomalies").replaceChildren(make("p", { className: "empty", textContent: "No scores: the data of this run could not be read again." }));
    return;
  }
  const select = $("anomaly-score"), slider = $("anomaly-share");
  select.append(...scores.map((one) => make("option", { textContent: one.name })));
  let order = [], values = null, shown = PAGE;
  const flagged = () => Math.min(order.length, Math.max(1, Math.round(0.001 * 500 ** (slider.value / 100) * order.length))); // 0.1 to 50 %
  function list() {
    const count = flagged();
    $("anomaly-share-text").textContent = `${percent(count / order.length)} (${quantity(count, "sample")})`;
    $("anomaly-text").textContent = `Score of ${figure(values[order[count - 1]])} or more.`;
    $("anomaly-list").replaceChildren(...order.slice(0, Math.min(shown, count)).map((i) => make("li", {}, thumb(run, i, (row) => look({ row, place: 0 }), figure(values[i])))));
    $("anomaly-more").hidden = shown >= count;
  }
  function sort() {
    values = scores[select.selectedIndex].values;
    order = [...values.keys()].filter((i) => Number.isFinite(values[i])).sort((a, b) => values[b] - values[a]);
    shown = PAGE;
    list();
  }
  select.addEventListener("change", sort);
  slider.addEventListener("input", list);
  $("anomaly-more").addEventListener("click", () => { shown += PAGE; list(); });
  $("anomaly-mark").addEventListener("click", () => setMarked(order.slice(0, flagged())));
  sort();
}
