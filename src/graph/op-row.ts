/** The form in which op-defs.gen.ts holds what TensorFlow says of its operations. */

/**
 * Name, inputs, outputs, attributes. An argument reads `name:type`, where type is an element type or the attribute
 * that holds it; `name:N*type` are as many tensors as attribute N says; `name:[]list` one for each type in attribute
 * list; `&` marks a reference. An attribute is its type, or its type and its default.
 */
export type OpRow = readonly [
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attrs: Readonly<Record<string, string | readonly [type: string, value: DefaultValue]>>,
];

export type DefaultScalar = string | number | boolean | null | readonly number[];
export type DefaultValue = DefaultScalar | readonly DefaultScalar[];
