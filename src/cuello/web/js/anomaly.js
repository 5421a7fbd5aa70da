// Anomalies: rows by score, with a threshold that moves.

const PAGE = 24;

function setUpAnomalies() {
  const run = app.runs[0], scores = run.colourings.filter((one) => one.name === "anomaly score" || one.name === "reconstruction error");
  if (!scores.length) {
    $("odd").replaceChildren(make("p", { className: "empty", textContent: "No scores: the data of this run could not be read again." }));
    return;
  }
  const select = $("odd-score"), slider = $("odd-share");
  select.append(...scores.map((one) => make("option", { textContent: one.name })));
  let order = [], values = null, shown = PAGE;
  const flagged = () => Math.min(order.length, Math.max(1, Math.round(0.001 * 500 ** (slider.value / 100) * order.length))); // 0.1 to 50 %
  function list() {
    const count = flagged();
    $("odd-said").textContent = `${percent(count / order.length)} (${several(count, "row")})`;
    $("odd-text").textContent = `Score of ${figure(values[order[count - 1]])} or more.`;
    $("odd-list").replaceChildren(...order.slice(0, Math.min(shown, count)).map((i) => make("li", {}, thumb(run, i, (row) => look({ row, place: 0 }), figure(values[i])))));
    $("odd-more").hidden = shown >= count;
  }
  function sort() {
    values = scores[select.selectedIndex].values;
    order = [...values.keys()].filter((i) => Number.isFinite(values[i])).sort((a, b) => values[b] - values[a]);
    shown = PAGE;
    list();
  }
  select.addEventListener("change", sort);
  slider.addEventListener("input", list);
  $("odd-more").addEventListener("click", () => { shown += PAGE; list(); });
  $("odd-mark").addEventListener("click", () => setMarked(order.slice(0, flagged())));
  sort();
}
