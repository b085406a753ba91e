// Checks the package as strangers will get it: publint and are-the-types-wrong on the packed tarball, then the tarball
// installed in an empty folder, its exports imported and its command run on the embedded model.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name) => join(root, "node_modules", ".bin", name);
const folder = mkdtempSync(join(tmpdir(), "octavo-package-"));

function run(command, args, cwd = folder) {
  console.log(`$ ${[command.replace(root, ""), ...args].join(" ").replaceAll(folder, ".")}`);
  return execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

function checkTarball() {
  run("npm", ["pack", "--silent", "--pack-destination", folder], root);
  const tarball = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(".tgz")),
  );
  run(bin("publint"), ["--strict", tarball], root);
  run(bin("attw"), [tarball, "--profile", "esm-only"], root);
  return tarball;
}

function checkInstalled(tarball) {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  run("npm", ["install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", tarball]);
  const names = JSON.parse(
    run(process.execPath, [
      "--input-type=module",
      "--eval",
      "console.log(JSON.stringify(Object.keys(await import('octavo'))))",
    ]),
  );
  expect(
    names.includes("TFLiteConverter"),
    `exports are ${names}, expected TFLiteConverter among them`,
  );
}

function checkCommand() {
  cpSync(join(root, "test", "fixtures", "digits"), join(folder, "digits"), { recursive: true });
  const octavo = (...args) => run(join(folder, "node_modules", ".bin", "octavo"), args);
  octavo(
    ...["convert", "digits/saved_model", "-o", "digits.tflite"],
    ...["--mode", "dynamic_range", "--input-shape", "16,8,8,1"],
  );
  const { operators } = JSON.parse(octavo("inspect", "digits.tflite", "--json"));
  expect(operators !== undefined, "inspect --json lists no operators");
  octavo("run", "digits.tflite", "--input", "digits/sample_inputs.npy", "--output-dir", "out");
  const outputs = readdirSync(join(folder, "out"));
  expect(
    outputs.length === 1 && outputs[0].startsWith("0_"),
    `run wrote ${outputs}, expected one 0_*.npy`,
  );
}

/** The runtime alone, with a worker: whose file must be where the bundle looks for it. */
function checkThreads() {
  const program = `
    import { readFileSync } from "node:fs";
    import { setTimeout as pause } from "node:timers/promises";
    import { Interpreter } from "octavo/runtime";
    const interpreter = await Interpreter.create(readFileSync("digits.tflite"), { threads: 2 });
    await interpreter.invoke();
    await pause(500); // a worker that cannot start says so by now, and fails the next call
    await interpreter.invoke();
    console.log(interpreter.threads, interpreter.getTensor(interpreter.getOutputDetails()[0].index).length);
  `;
  const printed = run(process.execPath, ["--input-type=module", "--eval", program]).trim();
  expect(printed === "2 160", `the runtime printed ${printed}, expected 2 threads and 160 outputs`);
}

/** The declarations, read strictly by a Node program: without the types of pages, without leaving any file out. */
function checkTypes() {
  const program = `
    import { TFLiteConverter } from "octavo";
    import { Interpreter, type InterpreterOptions } from "octavo/runtime";
    const options: InterpreterOptions = { threads: 2 };
    const converter = await TFLiteConverter.fromSavedModel("saved_model");
    const interpreter: Interpreter = await Interpreter.create(await converter.convert(), options);
    await interpreter.invoke();
  `;
  writeFileSync(join(folder, "program.ts"), program);
  const types = join(root, "node_modules", "@types");
  const flags = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022"];
  run(bin("tsc"), [
    ...flags,
    "--lib",
    "es2023",
    "--typeRoots",
    types,
    "--types",
    "node",
    "program.ts",
  ]);
}

try {
  checkInstalled(checkTarball());
  checkCommand();
  checkThreads();
  checkTypes();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
