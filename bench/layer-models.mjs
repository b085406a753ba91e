// Builds float models layer by layer, with random weights, for benchmarks of kernels. Node must run TypeScript (24 does).
import { buildModel, optionsFor } from "../test/model-builder.ts";

/** Uniform numbers in −1 … 1 that are the same each time. */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
}

/** Makes one chain of layers; each takes the name of a value and returns that of its result. */
export class LayerModel {
  #tensors = {};
  #operators = [];
  #inputs = [];
  #next = uniform(1);

  /** @param {readonly number[]} shape */
  input(shape, dtype = "float32") {
    const name = this.#tensor({ shape, dtype });
    this.#inputs.push(name);
    return name;
  }

  fullyConnected(from, units, activation = "RELU") {
    const [rows, depth] = this.#shape(from);
    const fields = { fused_activation_function: activation };
    return this.#operator("FULLY_CONNECTED", optionsFor("FullyConnectedOptions", fields), {
      inputs: [from, this.#weights([units, depth], depth), this.#zeros([units])],
      shape: [rows, units],
    });
  }

  /** A convolution with SAME padding. */
  conv(from, channels, size, stride, activation = "RELU6") {
    const [batch, height, width, depth] = this.#shape(from);
    const fields = { padding: "SAME", fused_activation_function: activation };
    const weights = this.#weights([channels, size, size, depth], size * size * depth);
    return this.#operator(
      "CONV_2D",
      optionsFor("Conv2DOptions", { ...fields, stride_h: stride, stride_w: stride }),
      {
        inputs: [from, weights, this.#zeros([channels])],
        shape: [batch, Math.ceil(height / stride), Math.ceil(width / stride), channels],
      },
    );
  }

  /** A depthwise 3×3 convolution with SAME padding. */
  depthwise(from, stride) {
    const [batch, height, width, depth] = this.#shape(from);
    const fields = { padding: "SAME", fused_activation_function: "RELU6", depth_multiplier: 1 };
    return this.#operator(
      "DEPTHWISE_CONV_2D",
      optionsFor("DepthwiseConv2DOptions", { ...fields, stride_h: stride, stride_w: stride }),
      {
        inputs: [from, this.#weights([1, 3, 3, depth], 9), this.#zeros([depth])],
        shape: [batch, Math.ceil(height / stride), Math.ceil(width / stride), depth],
      },
    );
  }

  maxPool(from) {
    const [batch, height, width, depth] = this.#shape(from);
    const size = { stride_h: 2, stride_w: 2, filter_height: 3, filter_width: 3 };
    return this.#operator(
      "MAX_POOL_2D",
      optionsFor("Pool2DOptions", { padding: "SAME", ...size }),
      {
        inputs: [from],
        shape: [batch, Math.ceil(height / 2), Math.ceil(width / 2), depth],
      },
    );
  }

  add(a, b, activation = "NONE") {
    const options = optionsFor("AddOptions", { fused_activation_function: activation });
    return this.#operator("ADD", options, { inputs: [a, b], shape: this.#shape(a) });
  }

  /** The mean over height and width. */
  globalMean(from) {
    const [batch, , , depth] = this.#shape(from);
    const axes = this.#tensor({ shape: [2], dtype: "int32", data: Int32Array.of(1, 2) });
    const options = optionsFor("ReducerOptions", { keep_dims: false });
    return this.#operator("MEAN", options, { inputs: [from, axes], shape: [batch, depth] });
  }

  /** Rows of a table of `count` vectors. */
  embedding(from, count, depth) {
    const [rows] = this.#shape(from);
    return this.#operator("EMBEDDING_LOOKUP", undefined, {
      inputs: [from, this.#weights([count, depth], depth)],
      shape: [rows, depth],
    });
  }

  /** A sequence [batch, steps, depth] through an LSTM. */
  lstm(from, cells) {
    const [batch, steps, depth] = this.#shape(from);
    const gates = (make) => [0, 1, 2, 3].map(make);
    const state = () => this.#tensor({ shape: [batch, cells], variable: true });
    const fields = { fused_activation_function: "TANH", asymmetric_quantize_inputs: true };
    return this.#operator(
      "UNIDIRECTIONAL_SEQUENCE_LSTM",
      optionsFor("UnidirectionalSequenceLSTMOptions", fields),
      {
        inputs: [
          from,
          ...gates(() => this.#weights([cells, depth], depth)),
          ...gates(() => this.#weights([cells, cells], cells)),
          ...["", "", ""],
          ...gates(() => this.#zeros([cells])),
          ...["", ""],
          state(),
          state(),
        ],
        shape: [batch, steps, cells],
      },
    );
  }

  /** The model that ends with `output`. */
  build(output) {
    return buildModel([
      {
        tensors: this.#tensors,
        operators: this.#operators,
        inputs: this.#inputs,
        outputs: [output],
      },
    ]);
  }

  #shape(name) {
    return this.#tensors[name].shape;
  }

  #tensor(spec) {
    const name = `t${Object.keys(this.#tensors).length}`;
    this.#tensors[name] = spec;
    return name;
  }

  /** A number of the standard normal distribution. Trained weights lie around 0 like that, with yet longer tails. */
  #normal() {
    const radius = Math.sqrt(-2 * Math.log((this.#next() + 1 + 2 ** -31) / 2));
    return radius * Math.cos(Math.PI * this.#next());
  }

  #weights(shape, fanIn) {
    const length = shape.reduce((product, size) => product * size, 1);
    const scale = 1 / Math.sqrt(fanIn);
    const data = new Float32Array(length);
    for (let at = 0; at < length; at++) data[at] = this.#normal() * scale;
    return this.#tensor({ shape, data });
  }

  #zeros(shape) {
    return this.#tensor({ shape, data: new Float32Array(shape[0]) });
  }

  #operator(op, options, { inputs, shape }) {
    const output = this.#tensor({ shape });
    const entry = { op, inputs, outputs: [output], ...(options === undefined ? {} : { options }) };
    this.#operators.push(entry);
    return output;
  }
}
