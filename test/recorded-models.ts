/** Models of one operator with recorded answers, made by scripts/fixtures/operators/models.py. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { bytesOf, type DType } from "../src/base/dtype.ts";
import type { Shape } from "../src/base/shape.ts";
import { EMPTY_BUFFER, type Model, residentBuffer, type Tensor } from "../src/model/ir.ts";
import { decode, type Encoded, nodeOf, type RecordedCase } from "./parity/operator-case.ts";

export interface RecordedModel {
  readonly name: string;
  /** The .tflite file in base64. */
  readonly model: string;
  readonly steps: readonly {
    readonly inputs: readonly Encoded[];
    readonly outputs: readonly {
      readonly dtype: DType;
      readonly shape: Shape;
      readonly data: Encoded;
    }[];
  }[];
}

const FOLDER = fileURLToPath(new URL("./fixtures/operator-models/", import.meta.url));

/** Names of the files that hold recorded models. */
export function recordedFiles(): string[] {
  return readdirSync(FOLDER);
}

export function readModels(file: string): RecordedModel[] {
  return JSON.parse(gunzipSync(readFileSync(FOLDER + file)).toString()) as RecordedModel[];
}

/** The bytes of the file. */
export function fileOf(recorded: RecordedModel): Uint8Array {
  return Uint8Array.from(Buffer.from(recorded.model, "base64"));
}

/** A recorded case as a model: constants as the case has them, strings as inputs. */
export function caseModel(recorded: RecordedCase): Model {
  const { options, options2, customOptions, version, inputs, outputs } = nodeOf(recorded);
  const buffers = [EMPTY_BUFFER];
  const operands = recorded.inputs.map((operand) => {
    const isConstant = operand?.constant === true && operand.data !== undefined;
    const data = isConstant ? decode(operand.dtype, operand.data) : [];
    if (Array.isArray(data)) return 0;
    buffers.push(residentBuffer(bytesOf(data)));
    return buffers.length - 1;
  });
  const given = inputs.flatMap((info, at) => (info === undefined ? [] : [{ info, at }]));
  const tensors = [...given.map(({ info }) => info), ...outputs].map((info, index): Tensor => {
    const { name, dtype, shape, quantization } = info;
    const buffer = operands[given[index]?.at ?? -1] ?? 0;
    const tensor = { name, dtype, shape, buffer, isVariable: false, hasRank: true };
    return quantization === undefined ? tensor : { ...tensor, quantization };
  });
  const op = recorded.custom ? "CUSTOM" : (recorded.op as "ADD");
  return {
    ...{ version: 3, description: recorded.name, operatorCodes: [], buffers },
    ...{ metadata: [], signatures: [] },
    subgraphs: [
      {
        ...{ name: "main", tensors },
        operators: [
          {
            ...{ op, version },
            ...(recorded.custom ? { customCode: recorded.op } : {}),
            ...(options && { options }),
            ...(options2 && { options2 }),
            ...(customOptions && { customOptions }),
            inputs: inputs.map((info) => given.findIndex((entry) => entry.info === info)),
            outputs: outputs.map((_, at) => given.length + at),
          },
        ],
        inputs: given.flatMap(({ at }, index) => (operands[at] === 0 ? [index] : [])),
        outputs: outputs.map((_, at) => given.length + at),
      },
    ],
  };
}
