// Start: unpack Plotly.js, draw, and redraw when the window or the colour scheme changes.

function refresh() {
  draw();
  for (const chart of charts) if (chart.themed) chart.themed();
}

async function start() {
  if (DATA["few-labels"]) fewLabels(DATA["few-labels"]);
  if (DATA.latent) latentSpace(DATA.latent);
  if (DATA.curves) curves(DATA.curves);
  if (charts.length) {
    runScript(await unpack("plotly").text());
    refresh();
    for (const chart of charts) if (chart.drawn) chart.drawn();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
    let width = innerWidth, waiting = 0;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      clearTimeout(waiting);
      waiting = setTimeout(draw, 120);
    });
    for (const [event, state] of [["beforeprint", true], ["afterprint", false]]) {
      addEventListener(event, () => { printing = state; refresh(); });
    }
  }
  document.documentElement.dataset.ready = "yes";
}

// Mark the section being read in the contents.
const spy = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    document.querySelectorAll("nav a").forEach((link) => {
      if (link.hash === "#" + target.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }
}, { rootMargin: "-10% 0px -80% 0px" });
document.querySelectorAll("section").forEach((section) => spy.observe(section));

if ($("copy") && navigator.clipboard) {
  $("copy").hidden = false;
  $("copy").onclick = async () => {
    await navigator.clipboard.writeText($("command").textContent);
    $("copy").textContent = "Copied";
  };
}

start().catch((error) => {
  $("problem").hidden = false;
  $("problem").textContent = "The charts could not be drawn (" + error.message + "). They need a browser from 2023 or later; tables and images are complete.";
  console.error(error);
});
