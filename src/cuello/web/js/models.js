// The models of a run in the browser: onnxruntime-web, one thread of WebAssembly, out of this file.

let engine = null;

function startEngine() {
  engine ??= (async () => {
    const loaded = new Promise((done) => addEventListener("ort", done, { once: true }));
    runScript(await unpack("engine").text(), "module");
    await loaded;
    Object.assign(ort.env.wasm, { numThreads: 1, proxy: false, wasmBinary: await unpack("wasm").arrayBuffer() });
    ort.env.logLevel = "error";
  })();
  return engine;
}

let turn = Promise.resolve(); // a session computes one thing at a time

async function openModels(run) {
  const sessions = {};
  for (const [name, pack] of Object.entries(run.models)) {
    await startEngine();
    const content = new Uint8Array(await unpack(pack).arrayBuffer());
    sessions[name] = await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
  }
  const compute = (name, shape) => (values, count = 1) => {
    const session = sessions[name];
    const work = async () => {
      const given = { [session.inputNames[0]]: new ort.Tensor("float32", Float32Array.from(values), [count, ...shape]) };
      return (await session.run(given))[session.outputNames[0]].data;
    };
    turn = turn.then(work, work);
    return turn;
  };
  if (sessions.encoder) run.encode = compute("encoder", run.shape);
  if (sessions.decoder) run.decode = compute("decoder", [run.latents]);
  if (sessions.classifier) run.classify = compute("classifier", run.shape);
  if (sessions.regressor) run.regress = compute("regressor", run.shape);
}
