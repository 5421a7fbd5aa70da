// The points: drawn on a canvas of their own, between Plotly's grid lines and its zoom box. A gesture
// moves and stretches the canvas; once the view has been still for a moment, points are drawn anew.

const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];
const STILL = 150; // milliseconds
const BEYOND = 0.5; // of the view's size, drawn on each side of it, for gestures to uncover

// Of a share of 1, in steps of 1/255, the colour on the scale.
const onScale = (() => {
  const context = make("canvas", { width: 256, height: 1 }).getContext("2d"), ramp = context.createLinearGradient(0.5, 0, 255.5, 0);
  CIVIDIS.forEach((tint, k) => ramp.addColorStop(k / (CIVIDIS.length - 1), tint));
  context.fillStyle = ramp;
  context.fillRect(0, 0, 256, 1);
  const { data } = context.getImageData(0, 0, 256, 1);
  return (step) => `rgb(${data.subarray(4 * step, 4 * step + 3).join()})`;
})();

// One point, to be copied: to copy is many times faster than to fill a shape.
function stamp({ color, symbol, opacity }, size, scale) {
  const side = Math.ceil(size * scale) + 4, canvas = make("canvas", { width: side, height: side }), context = canvas.getContext("2d", { willReadFrequently: true });
  const zoom = (size * scale) / 12; // the circle among the shapes is 12 across, about (8, 8)
  context.setTransform(zoom, 0, 0, zoom, side / 2 - 8 * zoom, side / 2 - 8 * zoom);
  Object.assign(context, { fillStyle: color, globalAlpha: opacity });
  context.fill(new Path2D(SHAPES[symbol]));
  return canvas;
}

// `passes(paint)` calls paint(i, key) for every point from the lowest up; `look(key)` is its mark.
function createPoints(chart, run, { passes, look }) {
  const canvas = make("canvas"), layer = make("div", { className: "points" }, canvas);
  const size = run.n > 20000 ? 3 : run.n > 3000 ? 4 : run.n > 800 ? 5.5 : 7;
  const axes = () => [chart._fullLayout.xaxis, chart._fullLayout.yaxis];
  const view = () => JSON.stringify([devicePixelRatio, ...axes().map((axis) => [...axis.range, axis._length])]);
  let drawn = null, corners = null, waiting = 0;

  const points = { canvas, isSharp: () => drawn === view() };

  points.draw = () => {
    clearTimeout(waiting);
    drawn = view();
    if (!layer.isConnected) chart.querySelector(".gl-container").append(layer);
    const [ax, ay] = axes(), scale = devicePixelRatio || 1, context = canvas.getContext("2d", { willReadFrequently: true });
    const [left, top] = [BEYOND * ax._length, BEYOND * ay._length];
    canvas.width = Math.round((ax._length + 2 * left) * scale);
    canvas.height = Math.round((ay._length + 2 * top) * scale);
    Object.assign(canvas.style, { width: canvas.width / scale + "px", height: canvas.height / scale + "px" });
    corners = [[ax.p2d(-left), ay.p2d(-top)], [ax.p2d(canvas.width / scale - left), ay.p2d(canvas.height / scale - top)]];
    // To whole pixels, which need no interpolation.
    const [x0, y0] = corners[0], [x1, y1] = corners[1], across = canvas.width / (x1 - x0), down = canvas.height / (y1 - y0), stamps = new Map();
    passes((i, key) => {
      if (!stamps.has(key)) stamps.set(key, stamp(look(key), size, scale));
      const one = stamps.get(key), x = (run.x[i] - x0) * across, y = (run.y[i] - y0) * down;
      if (x > -one.width && y > -one.width && x < canvas.width + one.width && y < canvas.height + one.width) context.drawImage(one, Math.round(x - one.width / 2), Math.round(y - one.width / 2));
    });
    points.follow();
  };

  // Put what is drawn where the axes are now.
  points.follow = () => {
    if (!drawn) return;
    const [ax, ay] = axes(), [[x0, y0], [x1, y1]] = corners.map(([x, y]) => [ax.l2p(x), ay.l2p(y)]);
    Object.assign(layer.style, { left: ax._offset + "px", top: ay._offset + "px", width: ax._length + "px", height: ay._length + "px" });
    canvas.style.transform = `matrix(${(x1 - x0) / canvas.clientWidth}, 0, 0, ${(y1 - y0) / canvas.clientHeight}, ${x0}, ${y0})`;
    clearTimeout(waiting);
    if (!points.isSharp()) waiting = setTimeout(points.draw, STILL);
  };
  return points;
}
