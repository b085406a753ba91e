/** Writes protobuf messages for tests, field by field; the product itself only reads them. */

export type Field = readonly [
  number: number,
  value: string | Uint8Array | bigint | number | Message,
];

/** A nested message: its fields in order. */
export interface Message {
  readonly fields: readonly Field[];
}

/** A 32-bit pattern in a fixed32 field. */
export class Fixed32 {
  readonly bits: number;
  constructor(bits: number) {
    this.bits = bits;
  }
}

export function varint(value: bigint | number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

/** Encodes strings, bytes and messages with their length, numbers as varints. */
export function encodeFields(fields: readonly (Field | readonly [number, Fixed32])[]): Uint8Array {
  const bytes: number[] = [];
  for (const [number, value] of fields) {
    if (value instanceof Fixed32) {
      bytes.push(...varint((number << 3) | 5));
      for (let shift = 0; shift < 32; shift += 8) bytes.push((value.bits >>> shift) & 0xff);
    } else if (typeof value === "number" || typeof value === "bigint") {
      bytes.push(...varint(number << 3), ...varint(value));
    } else {
      const inner = encodeValue(value);
      bytes.push(...varint((number << 3) | 2), ...varint(inner.length), ...inner);
    }
  }
  return Uint8Array.from(bytes);
}

export function message(...fields: Field[]): Message {
  return { fields };
}

function encodeValue(value: string | Uint8Array | Message): Uint8Array {
  if (typeof value === "string") return new TextEncoder().encode(value);
  return value instanceof Uint8Array ? value : encodeFields(value.fields);
}

/** A NodeDef for tests. Attributes are AttrValue messages. */
export interface TestNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, Message>>;
}

export function nodeDef({ name, op, input = [], attr = {} }: TestNode): Message {
  return message(
    [1, name],
    [2, op],
    ...input.map((text): Field => [3, text]),
    ...Object.entries(attr).map(([key, value]): Field => [5, message([1, key], [2, value])]),
  );
}

/** A FunctionDef: argument names (all float32), nodes, output name to value. */
export function functionDef(
  name: string,
  args: readonly string[],
  nodes: readonly TestNode[],
  ret: Readonly<Record<string, string>>,
): Message {
  const arg =
    (number: number) =>
    (text: string): Field => [number, message([1, text], [3, 1])];
  return message(
    [1, message([1, name], ...args.map(arg(2)), ...Object.keys(ret).map(arg(3)))],
    ...nodes.map((node): Field => [3, nodeDef(node)]),
    ...Object.entries(ret).map(([key, value]): Field => [4, message([1, key], [2, value])]),
  );
}

export function graphDef(nodes: readonly TestNode[], functions: readonly Message[] = []): Message {
  return message(...nodes.map((node): Field => [1, nodeDef(node)]), [
    2,
    message(...functions.map((each): Field => [1, each])),
  ]);
}

/** AttrValue of a type, by DataType number. */
export const typeAttr = (type: number): Message => message([6, type]);
export const funcAttr = (name: string): Message => message([10, message([1, name])]);

/** A SavedModel with one graph and one signature, x → y, both float32. */
export function savedModel(
  graph: Message,
  options: { tags?: readonly string[]; input?: string; output?: string } = {},
): Uint8Array {
  const { tags = ["serve"], input = "x:0", output = "y:0" } = options;
  const shape = message([2, message([1, 1])], [2, message([1, 4])]);
  const info = (name: string) => message([1, name], [2, 1], [3, shape]);
  const signature = message(
    [1, message([1, "x"], [2, info(input)])],
    [2, message([1, "y"], [2, info(output)])],
  );
  const metaGraph = message(
    [1, message(...tags.map((tag): Field => [4, tag]))],
    [2, graph],
    [5, message([1, "serving_default"], [2, signature])],
  );
  return encodeFields([[2, metaGraph]]);
}
