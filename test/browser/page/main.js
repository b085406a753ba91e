// What the tests call in the page. Errors are told as what makes them: class, code and sentence.
import { Interpreter, isOctavoError, webWorkerHost } from "octavo/runtime";
import { runModel } from "/page/run-model.js";

/** What `work` throws. */
async function errorOf(work) {
  try {
    await work();
  } catch (error) {
    return { isOctavoError: isOctavoError(error), code: error.code, message: error.message };
  }
  return { isOctavoError: false, code: "none", message: "no error" };
}

/** The same file in every form that `create` takes. */
const SOURCES = {
  text: (path) => path,
  url: (path) => new URL(path, location.href),
  response: (path) => fetch(path).then((response) => response),
  "awaited response": async (path) => await fetch(path),
  blob: async (path) => await (await fetch(path)).blob(),
  buffer: async (path) => await (await fetch(path)).arrayBuffer(),
  bytes: async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer()),
};

const scripts = {
  throws: "addEventListener('message', () => { throw new Error('out of memory'); });",
  "does not parse": "this is no script",
};

globalThis.octavoTest = {
  isIsolated: () => crossOriginIsolated,

  exportsOfMainEntry: async () => Object.keys(await import("octavo")),

  run: runModel,

  runFrom: async (kind, path, options) => runModel(await SOURCES[kind](path), options),

  runInBundle: async (path, options) => {
    const { runModel: bundled } = await import("/bundle/app.js");
    return bundled(path, options);
  },

  runInWorker: (path, options) =>
    new Promise((resolve, reject) => {
      const worker = new Worker("/page/worker.js", { type: "module" });
      worker.addEventListener("message", ({ data }) => resolve(data));
      worker.addEventListener("error", ({ message }) => reject(new Error(message)));
      worker.postMessage({ source: new URL(path, location.href).href, options });
    }),

  openError: (source) => errorOf(() => Interpreter.create(source)),

  /** Runs with a worker that falls over, which the page hears of before the model is open. */
  async workerDeath(kind, path) {
    const url = URL.createObjectURL(new Blob([scripts[kind]], { type: "text/javascript" }));
    const workerHost = webWorkerHost(() => new Worker(url, { type: "module" }));
    const interpreter = await Interpreter.create(path, { threads: 2, workerHost });
    const after = await errorOf(() => interpreter.invoke());
    const disposed = await errorOf(async () => interpreter.dispose());
    return { after, disposed: disposed.code };
  },

  /** Leaves a call that traps to the worker alone, watches without a pause until it is done, then invokes. */
  async trapInWorker(script, path) {
    let started;
    const create = () => new Worker(script, { type: "module" });
    const workerHost = (start, onDeath) => {
      started = start;
      return webWorkerHost(create)(start, onDeath);
    };
    const interpreter = await Interpreter.create(path, { threads: 2, workerHost });
    await interpreter.invoke();
    const { ListWalker } = await import("/octavo/runtime/list-walker.js");
    const { SharedLists } = await import("/octavo/runtime/shared-lists.js");
    const { module, memory, lists, threads } = started;
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    const [name] = Object.keys(exports);
    const params = Array(exports[name].length).fill("i32");
    const shared = new SharedLists([{ name, params }], threads, lists);
    const walker = new ListWalker(started, exports, 0);
    walker.begin(shared.pass([{ name, calls: [params.map(() => -64)] }]));
    const end = performance.now() + 10_000;
    let looks = 0;
    while (!walker.hasFailed && performance.now() < end) looks++;
    const after = await errorOf(() => interpreter.invoke());
    const disposed = await errorOf(async () => interpreter.dispose());
    return { hasFailed: walker.hasFailed, looks, after, disposed: disposed.code };
  },
};
