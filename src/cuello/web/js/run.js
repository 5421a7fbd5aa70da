// A run as the page holds it: embeddings, labels, errors and rows as typed arrays.

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array, int32: Int32Array, float32: Float32Array };

async function array(record) {
  if (!record) return null;
  const answer = unpack(record.pack);
  return record.type === "json" ? answer.json() : new TYPES[record.type](await answer.arrayBuffer());
}

// What was stored as 16 bits a number, in equal steps over the range of each column.
async function steps(record) {
  const { low, step } = record, found = await array(record);
  return Float32Array.from(found, (value, at) => low[at % low.length] + value * step[at % low.length]);
}

// Layers of a network: sums, and between two of them no number below 0.
const layers = (stored) => Promise.all(stored.map(async ({ weight, bias }) => ({ weight: await array(weight), bias: await array(bias) })));

function through(network, values) {
  return network.reduce((given, { weight, bias }, at) => bias.map((start, k) => {
    let sum = start;
    for (let j = 0; j < given.length; j++) sum += weight[k * given.length + j] * given[j];
    return at < network.length - 1 ? Math.max(0, sum) : sum;
  }), values);
}

// How many of sorted values are smaller.
function smaller(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

// Minus the decimal logarithm of the probability that a normal row scores as high: counted among the
// scores of held-out rows, sorted, and in their highest tenth along an exponential.
function negativeLogTail(scores, score) {
  const m = scores.length, start = Math.min(Math.ceil(0.9 * m), m - 1), bend = scores[start];
  const counted = (value) => -Math.log10((m - smaller(scores, value) + 1) / (m + 1));
  const beyond = scores.subarray(start + 1), excess = scores[m - 1] > bend ? beyond.reduce((sum, v) => sum + v - bend, 0) / beyond.length : 1;
  if (score >= bend) return counted(bend) + (Math.LOG10E * (score - bend)) / excess;
  const at = smaller(scores, score);
  if (!at) return 0;
  const low = scores[at - 1], share = (score - low) / (scores[at] - low);
  return (1 - share) * counted(low) + share * counted(scores[at]);
}

async function openRun(record, first) {
  const { n, latents, shape, bounds } = record;
  const [row, names, learnable, error, tail] = await Promise.all([record.row, record.names, record.learnable, record.error, record.tail].map(array));
  const embeddings = await steps(record.embeddings);
  const colourings = await Promise.all(record.colourings.map(async (one) => ({ ...one, values: await array(one.values) })));
  if (error) colourings.push({ name: "reconstruction error", classes: null, values: error });
  const same = first && record.same_rows && first.rows;
  const rows = same || (record.rows && { ...record.rows, data: await array(record.rows), at: await placesOf(record.rows, n) });
  const run = { ...record, embeddings, row, names, learnable, error, colourings, rows, size: shape.reduce((a, b) => a * b, 1) };

  run.name = (i) => (names && names[i] ? names[i] : `${learnable[i] ? "row" : "test row"} ${row[i]}`);
  run.embedding = (i) => embeddings.slice(i * latents, (i + 1) * latents);
  run.classes = colourings.find((one) => one.name === "class") || null;
  run.className = (i) => (run.classes && run.classes.values[i] >= 0 ? run.classes.classes[run.classes.values[i]] : null);

  run.projections = await Promise.all(record.projections.map(async (projection) => ({ ...projection, forward: await layers(projection.forward), inverse: await layers(projection.inverse), coordinates: projection.coordinates && await steps(projection.coordinates) })));
  run.project = (embedding) => [...through(run.projection.forward, embedding)];
  run.embeddingAt = (x, y) => through(run.projection.inverse, latents === 1 ? [x] : [x, y]);
  run.show = (projection) => { // where every row lies in one of the projections
    run.projection = projection;
    run.x = new Float32Array(n);
    run.y = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const [x, y] = projection.coordinates ? projection.coordinates.subarray(2 * i, 2 * i + 2) : run.project(embeddings.subarray(i * latents, (i + 1) * latents));
      run.x[i] = x;
      // One latent: a strip. Where a point lies across it says nothing; the golden ratio spreads them.
      run.y[i] = y ?? ((i * 0.6180339887) % 1) - 0.5;
    }
  };
  run.show(run.projections[0]);

  run.stored = (i) => {
    const at = rows ? rows.at(i) : -1;
    if (at < 0) return null;
    const length = rows.shape.reduce((a, b) => a * b, 1);
    return rows.data.subarray(at * length, (at + 1) * length);
  };
  run.values = (i) => { // in the data's own units; null where the page holds no exact row
    const found = rows && rows.exact ? run.stored(i) : null;
    if (!found || !run.image) return found;
    const [black, white] = rows.bounds;
    return Float32Array.from(found, (byte) => black + (byte / 255) * (white - black));
  };
  run.bytes = (values) => Uint8ClampedArray.from(values, (v) => (255 * (v - bounds[0])) / (bounds[1] - bounds[0]));
  run.errors = (a, b) => a.map((v, k) => ((v - b[k]) / record.width[k % record.width.length]) ** 2);
  run.nearest = (embedding, count, without = -1) => {
    const found = [];
    for (let i = 0; i < n; i++) {
      if (i === without) continue;
      let far = 0;
      for (let k = 0; k < latents; k++) far += (embeddings[i * latents + k] - embedding[k]) ** 2;
      if (found.length < count || far < found[found.length - 1][0]) {
        let place = found.length;
        while (place > 0 && found[place - 1][0] > far) place--;
        found.splice(place, 0, [far, i]);
        if (found.length > count) found.pop();
      }
    }
    return found.map(([, i]) => i);
  };
  const sorted = error && Float32Array.from(error).sort();
  run.below = (value) => smaller(sorted, value) / sorted.length; // share of the rows with a smaller error
  run.anomalyScore = tail && ((value) => negativeLogTail(tail, Math.log(value + 1e-12)));
  run.find = (wanted) => {
    const text = wanted.trim().toLowerCase();
    if (!text) return -1;
    if (names) {
      const exact = names.findIndex((name) => name.toLowerCase() === text);
      if (exact >= 0) return exact;
    }
    const [, tested, number] = text.match(/^(test )?(?:row )?(\d+)$/) || [];
    if (number) return tested ? row.lastIndexOf(Number(number)) : row.indexOf(Number(number));
    return names ? names.findIndex((name) => name.toLowerCase().includes(text)) : -1;
  };
  return run;
}

async function placesOf(rows, n) {
  const kept = await array(rows.kept);
  if (!kept) return (i) => i;
  const at = new Int32Array(n).fill(-1);
  kept.forEach((i, place) => { at[i] = place; });
  return (i) => at[i];
}
