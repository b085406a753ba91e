// The models: real ones, and one network in every form that a contender reads. Paths are under the peers folder's
// `models`; a model whose file is not there is left out, and said to be.

/** `onnx` and `tfjs` name the same network for contenders that read no .tflite file. */
export const MODELS = {
  mobilenet_v2_float: {
    tflite: "mobilenet_v2_1.0_224_float.tflite",
    onnx: { file: "mobilenet_v2_1.0_224.onnx", layout: "nchw" },
    tfjs: "mobilenet_v2_tfjs/model.json",
  },
  mobilenet_v2_dynamic_range: { tflite: "mobilenet_v2_1.0_224_dynrange.tflite" },
  mobilenet_v2_int8: { tflite: "mobilenet_v2_1.0_224_int8.tflite" },
  mobilenet_v2_uint8: { tflite: "mobilenet_v2_1.0_224_quant.tflite" },
  "mobilenet_v1_0.25_float": { tflite: "mobilenet_v1_0.25_224_float.tflite" },
  "mobilenet_v1_0.25_uint8": { tflite: "mobilenet_v1_0.25_224_quant.tflite" },
  coco_ssd_uint8: { tflite: "coco_ssd_mobilenet_v1_1.0_quant.tflite" },
  deeplabv3_float: { tflite: "deeplabv3.tflite" },
  face_detection_float: { tflite: "face_detection_front_f32.tflite" },
  resnet8_float: { tflite: "ic_resnet8_cifar10_float.tflite" },
  resnet8_int8: { tflite: "ic_resnet8_cifar10_int8.tflite" },
  yamnet: { tflite: "yamnet_quant.tflite" },
  dtln_1_float: { tflite: "dtln_model_1.tflite", onnx: { file: "dtln_model_1.onnx" } },
  dtln_1_dynamic_range: { tflite: "dtln_model_quant_1.tflite" },
  dtln_2_float: { tflite: "dtln_model_2.tflite", onnx: { file: "dtln_model_2.onnx" } },
  dtln_2_dynamic_range: { tflite: "dtln_model_quant_2.tflite" },
  keras_lstm_int8: { tflite: "coral_keras_lstm_mnist_ptq.tflite" },
  movie_review: { tflite: "movie_review.tflite" },
  text_classification: { tflite: "text_classification_imdb_float.tflite" },
  movenet_int8: { tflite: "movenet_lightning_ptq.tflite" },
  conformer: { tflite: "torchaudio_conformer.tflite" },
  single_add: { tflite: "single_add.tflite" },
};

/**
 * Who is measured. `reads` is the form of the model. Octavo's rows differ in its own options: `wide` asks for 256-bit
 * vectors, `threads` shares the work.
 */
export const CONTENDERS = {
  octavo: { adapter: "octavo", reads: "tflite", threads: 1 },
  "octavo wide": { adapter: "octavo", reads: "tflite", threads: 1, wide: true },
  "litert.js": { adapter: "litert", reads: "tflite", threads: 1 },
  "tfjs-tflite": { adapter: "tfjs-tflite", reads: "tflite", threads: 1 },
  "tfjs wasm": { adapter: "tfjs-wasm", reads: "tfjs", threads: 1 },
  "onnxruntime-web": { adapter: "ort-web", reads: "onnx", threads: 1 },
  "octavo, 2 threads": { adapter: "octavo", reads: "tflite", threads: 2 },
  "octavo wide, 2 threads": { adapter: "octavo", reads: "tflite", threads: 2, wide: true },
  "litert.js, 2 threads": { adapter: "litert", reads: "tflite", threads: 2 },
  "onnxruntime-web, 2 threads": { adapter: "ort-web", reads: "onnx", threads: 2 },
};
