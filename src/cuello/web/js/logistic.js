// Multinomial logistic regression on codes: mean log-loss + |weights|^2 / (2 n), as scikit-learn's
// with C = 1, on codes brought to deviation 1; by accelerated gradient steps (Nesterov, 1983).

function fitLogistic(codes, labels, count, scale, steps = 1500) {
  const n = codes.length, d = scale.length, rows = codes.map((code) => [...code.map((v, k) => v / scale[k]), 1]);
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
    const now = (1 + Math.sqrt(1 + 4 * before * before)) / 2, momentum = (before - 1) / now;
    before = now;
    for (let at = 0; at < weights.length; at++) {
      const decay = at % (d + 1) === d ? 0 : ahead[at] / n, moved = ahead[at] - rate * (gradient[at] + decay);
      ahead[at] = moved + momentum * (moved - weights[at]);
      weights[at] = moved;
    }
  }
  return (code) => scores([...Array.from(code, (v, k) => v / scale[k]), 1], weights);
}
