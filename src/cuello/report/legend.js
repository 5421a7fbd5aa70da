// Buttons that hide and show classes, each with the sign of its points. Returns what colours them.
function legend(box, codes, nameOf, look, hidden, changed) {
  box.replaceChildren();
  const swatches = () => {
    const colour = theme();
    box.querySelectorAll("path").forEach((path, place) => {
      const { color, symbol } = look(codes[place], colour);
      path.setAttribute("d", SHAPES[symbol] || SHAPES.circle);
      path.setAttribute("fill", codes[place] < 0 ? "none" : color);
      path.setAttribute("stroke", color);
    });
  };
  const buttons = codes.map((code) => {
    const button = box.appendChild(document.createElement("button"));
    button.type = "button";
    button.innerHTML = '<svg viewBox="0 0 16 16" aria-hidden="true"><path></path></svg><span></span>';
    button.lastChild.textContent = nameOf(code);
    button.onclick = () => set([code], !hidden.has(code));
    return button;
  });
  const set = (which, hide) => {
    for (const code of which) hide ? hidden.add(code) : hidden.delete(code);
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(!hidden.has(codes[place]))));
    changed();
  };
  if (codes.length > 2) {
    for (const [text, hide] of [["Show all", false], ["Hide all", true]]) {
      const button = box.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = text;
      button.onclick = () => set(codes, hide);
    }
  }
  buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(!hidden.has(codes[place]))));
  return swatches;
}
