// Runs in the page: opens the model named in the address with the runtime named there, and tells how long that took from
// the start of the navigation, and how long a call takes then.
import { inputValues } from "/peers/inputs.mjs";

const RUNTIMES = {
  async octavo(url, threads) {
    const { Interpreter } = await import("octavo/runtime");
    const interpreter = await Interpreter.create(url, { threads });
    if (interpreter.threads !== threads) throw new Error(interpreter.diagnostics[0].text);
    const inputs = interpreter.getInputDetails();
    const outputs = interpreter.getOutputDetails();
    return {
      inputs,
      async run(values) {
        for (const [at, { index }] of inputs.entries()) interpreter.setTensor(index, values[at]);
        await interpreter.invoke();
        return outputs.map(({ index }) => interpreter.getTensor(index));
      },
    };
  },

  async "litert.js"(url, threads) {
    const { loadLiteRt, loadAndCompile, Tensor } = await import("@litertjs/core");
    await loadLiteRt("/litert/core/wasm/", { threads: threads > 1 });
    const options = { accelerator: "wasm", cpuOptions: { numThreads: threads } };
    const model = await loadAndCompile(url, options);
    const inputs = model
      .getInputDetails()
      .map(({ dtype, shape }) => ({ dtype, shape: [...shape] }));
    return {
      inputs,
      async run(values) {
        const given = values.map((value, at) => new Tensor(value, inputs[at].shape));
        const results = await model.run(given);
        const outputs = results.map((tensor) => tensor.toTypedArray().slice());
        for (const tensor of [...given, ...results]) tensor.delete();
        return outputs;
      },
    };
  },
};

/** Times of calls for so many milliseconds, the first half of which warms up. */
async function timesOfCalls(run, milliseconds) {
  const samples = [];
  const startedAt = performance.now();
  while (performance.now() - startedAt < milliseconds) {
    const before = performance.now();
    await run();
    const after = performance.now();
    if (after - startedAt > milliseconds / 2) samples.push(after - before);
  }
  return samples;
}

globalThis.measure = async ({ runtime, model, threads, milliseconds }) => {
  const { inputs, run } = await RUNTIMES[runtime](`/models/${model}`, threads);
  const values = inputs.map(inputValues);
  await run(values);
  const coldStartMs = performance.now();
  return { coldStartMs, samples: await timesOfCalls(() => run(values), milliseconds) };
};
