// A contender's process as `run.mjs` sees it: commands go in, answers or errors come out, within a time limit.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const child = fileURLToPath(new URL("./child.mjs", import.meta.url));
const TIMEOUT_MS = 60_000;

/** Starts the process; `node` is the binary. */
export function startContender(node) {
  const process = fork(child, {
    execPath: node,
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  return {
    /** Sends a command and waits for what comes of it. */
    ask: (command, details) => ask(process, { command, ...details }),
    stop: () => process.kill("SIGKILL"),
  };
}

function ask(process, message) {
  return new Promise((resolve, reject) => {
    const settle = (finish) => (value) => {
      clearTimeout(timer);
      process.off("message", answer);
      process.off("exit", exit);
      finish(value);
    };
    const answer = settle((reply) => {
      if (reply.error === undefined) resolve(reply);
      else reject(new Error(reply.error));
    });
    const exit = settle((code) => reject(new Error(`the process ended with ${code}`)));
    const timer = setTimeout(
      settle(() => reject(new Error(`no answer within ${TIMEOUT_MS / 1000} s`))),
      TIMEOUT_MS,
    );
    process.on("message", answer);
    process.on("exit", exit);
    process.send(message);
  });
}
