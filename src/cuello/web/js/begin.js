// Begin: unpack, draw the plots and the charts, then start the models.

function listColours() {
  const names = [...new Set(app.runs.flatMap((run) => run.colourings.map((one) => one.name)))];
  $("colour").replaceChildren(...names.map((name) => make("option", { textContent: name, value: name })));
}

function colourBy(name) {
  $("colour").value = name;
  for (const plot of app.plots) plot.colourBy(name);
}

function listProjections() {
  const names = [...new Set(app.runs.flatMap((run) => run.projections.map((projection) => projection.name)))];
  $("projection").replaceChildren(...names.map((name) => make("option", { textContent: name, value: name })));
  $("projection-label").hidden = app.runs.every((run) => run.projections.length < 2);
}

// What is looked at stays, at its point in the other projection.
async function showProjection(name) {
  for (const plot of app.plots) {
    const projection = plot.run.projections.find((one) => one.name === name);
    if (!projection) continue;
    plot.run.show(projection);
    plot.setGrid(null);
    plot.draw();
    await plot.resetView();
    redrawGrid(plot);
  }
  describeDecoding();
  if (app.subject) look({ ...app.subject, ...(app.subject.spot && { embedding: app.embedding, spot: undefined }) });
}

function redraw() {
  for (const plot of app.plots) plot.draw();
  draw();
}

function setUpPlots() {
  const picked = (plot, what) => look({ ...what, place: app.plots.indexOf(plot) });
  const lassoed = (plot, rows) => {
    const index = app.plots.indexOf(plot);
    if (index && !plot.run.same_rows) return;
    setMarked(rows);
    $("tab-label").click();
  };
  for (const run of app.runs) {
    const host = $("plots").appendChild(make("div", { className: "one" }));
    if (app.runs.length > 1) host.append(make("h2", { textContent: run.title }));
    const plot = createPlot(run, host, { picked, lassoed });
    app.plots.push(plot);
    plot.draw();
    let waiting = 0;
    plot.chart.on("plotly_relayout", (change) => {
      if (!Object.keys(change).some((key) => /range/.test(key))) return; // the grid itself
      clearTimeout(waiting);
      waiting = setTimeout(() => redrawGrid(plot), 80);
    });
  }
  listProjections();
  $("projection").addEventListener("change", () => showProjection($("projection").value));
  listColours();
  if ($("colour").options.length) colourBy($("colour").value);
  $("colour").addEventListener("change", () => colourBy($("colour").value));
  // A finger scrolls the page unless one of them is chosen.
  const modes = [...document.querySelectorAll("[data-mode]")];
  const choose = (button) => {
    pressed(modes, button);
    for (const plot of app.plots) plot.setMode(button ? button.dataset.mode : "off");
  };
  for (const button of modes) button.addEventListener("click", () => choose(button.getAttribute("aria-pressed") === "true" ? null : button));
  choose(matchMedia("(pointer: coarse)").matches ? null : modes[0]);
  $("reset-view").addEventListener("click", () => app.plots.forEach((plot) => plot.resetView()));
  $("snap").addEventListener("change", () => { for (const plot of app.plots) plot.snap = $("snap").checked; });
  $("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const row = app.runs[0].find($("wanted").value);
    if (row < 0) { $("wanted").setCustomValidity("There is no such sample."); $("wanted").reportValidity(); } else look({ row, place: 0 });
  });
  $("wanted").addEventListener("input", () => $("wanted").setCustomValidity(""));
}

async function begin() {
  if (DATA["few-labels"]) fewLabels(DATA["few-labels"]);
  if (DATA.curves) curves(DATA.curves);
  runScript(await unpack("plotly").text());
  for (const record of DATA.runs) app.runs.push(await openRun(record, app.runs[0]));
  tabs(document.querySelector("[role=tablist]"));
  setUpPlots();
  draw();
  document.documentElement.dataset.ready = "yes";
  for (const run of app.runs) await openModels(run);
  setUpDecoding();
  setUpInput();
  setUpAnomalies();
  setUpLabels();
  await setUpServed();
  if (app.runs[0].n) await look({ row: 0, place: 0 });
  const latents = app.runs.map((run) => quantity(run.latents, "latent") + (app.runs.length > 1 ? ` in ${run.title}` : ""));
  $("state").textContent = `${quantity(app.runs[0].n, "sample")}, ${latents.join(", ")}; ${app.runs[0].decode ? "the model runs in this browser" : "no model in this page"}.`;
  document.documentElement.dataset.models = "yes";
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = innerWidth, waiting = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(redraw, 120);
  });
}

begin().catch((error) => {
  $("problem").hidden = false;
  $("problem").textContent = `This page could not start (${error.message}). It needs a browser from 2023 or later.`;
  console.error(error);
});
