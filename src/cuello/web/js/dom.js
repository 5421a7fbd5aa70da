// Small things for the document. Names in data are text, never HTML.

const make = (tag, props = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
};

const figure = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "–");
const percent = (share) => { // no 100 % that is not all
  const near = share > 0.99 && share < 1;
  return `${near ? Math.floor(1000 * share) / 10 : (100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
};
const grouped = (count) => count.toLocaleString("en");
const quantity = (count, what) => `${grouped(count)} ${what}${count === 1 ? "" : "s"}`;

function pressed(buttons, chosen) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
}

function download(name, text, type = "text/csv") {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const csv = (lines) => lines.map((cells) => cells.map((cell) => {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}).join(",")).join("\r\n") + "\r\n";

// Of the wishes that come while one is being granted only the last counts: sliders outrun a model.
function latest(work) {
  let busy = false, next = null;
  return async function ask(...wish) {
    if (busy) { next = wish; return; }
    busy = true;
    try {
      await work(...wish);
      while (next) { const newer = next; next = null; await work(...newer); }
    } finally { busy = false; }
  };
}

function tabs(list) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const choose = (tab, focus) => {
    for (const one of all) {
      const chosen = one === tab;
      one.setAttribute("aria-selected", String(chosen));
      one.tabIndex = chosen ? 0 : -1;
      $(one.getAttribute("aria-controls")).hidden = !chosen;
    }
    if (focus) tab.focus();
  };
  for (const tab of all) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) choose(all[(all.indexOf(tab) + step + all.length) % all.length], true);
    });
  }
}
