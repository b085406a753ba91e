// One cold start: from the first import to the first result, printed as JSON. Started by cold-start.mjs.
import { inputValues } from "./peers/inputs.mjs";

const startedAt = performance.now();
const { adapter, ...settings } = JSON.parse(process.argv[2]);
const { open } = await import(`./peers/adapters/${adapter}.mjs`);
const { inputs, run } = await open(settings);
const openMs = performance.now() - startedAt;
await run(inputs.map(inputValues));
const totalMs = performance.now() - startedAt;
process.stdout.write(JSON.stringify({ openMs, totalMs, cpuMs: process.cpuUsage().user / 1000 }));
process.exit();
