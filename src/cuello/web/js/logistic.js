// Multinomial logistic regression on embeddings: mean log-loss + |weights|^2 / (2 n), as scikit-learn's
// with C = 1, on embeddings brought to mean 0 and deviation 1; by accelerated gradient steps
// (Nesterov, 1983), begun anew where they overshoot (O'Donoghue and Candes, 2015).

function fitLogistic(embeddings, labels, count, middle, scale, steps = 1500) {
  const scaled = (embedding) => [...Array.from(embedding, (v, k) => (v - middle[k]) / scale[k]), 1];
  const n = embeddings.length, d = scale.length, rows = embeddings.map(scaled);
  const norm = Math.max(...rows.map((row) => row.reduce((sum, v) => sum + v * v, 0)));
  const rate = 1 / (0.5 * norm + 1 / n), weights = new Float64Array(count * (d + 1)), ahead = weights.slice();
  const scores = (row, from) => {
    const found = Array.from({ length: count }, (_, c) => row.reduce((sum, v, k) => sum + v * from[c * (d + 1) + k], 0));
    const top = Math.max(...found), powers = found.map((v) => Math.exp(v - top)), total = powers.reduce((a, b) => a + b);
    return powers.map((v) => v / total);
  };
  for (let step = 0, before = 1; step < steps; step++) {
    const gradient = new Float64Array(weights.length);
    rows.forEach((row, i) => scores(row, ahead).forEach((share, c) => {
      const off = (share - (labels[i] === c ? 1 : 0)) / n;
      for (let k = 0; k <= d; k++) gradient[c * (d + 1) + k] += off * row[k];
    }));
    const moved = ahead.map((weight, at) => weight - rate * (gradient[at] + (at % (d + 1) === d ? 0 : weight / n)));
    const overshot = moved.reduce((sum, weight, at) => sum + (ahead[at] - weight) * (weight - weights[at]), 0) > 0;
    const now = overshot ? 1 : (1 + Math.sqrt(1 + 4 * before * before)) / 2, momentum = overshot ? 0 : (before - 1) / now;
    before = now;
    moved.forEach((weight, at) => {
      ahead[at] = weight + momentum * (weight - weights[at]);
      weights[at] = weight;
    });
  }
  return (embedding) => scores(scaled(embedding), weights);
}
