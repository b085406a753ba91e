/** Which output pixels of a row see the whole kernel, and which lose columns at the left or right border. */

/** A border pixel: kernel columns [first, first + count) lie inside the image. */
export interface EdgePixel {
  readonly x: number;
  readonly first: number;
  readonly count: number;
}

export interface ColumnPlan {
  readonly edges: readonly EdgePixel[];
  /** Output pixels [innerStart, innerStart + innerCount) see all kernel columns. */
  readonly innerStart: number;
  readonly innerCount: number;
}

export interface ColumnGeometry {
  readonly inputWidth: number;
  readonly outputWidth: number;
  readonly kernelWidth: number;
  readonly strideWidth: number;
  readonly dilationWidth: number;
  readonly padLeft: number;
}

/** Splits one output row. Pixels whose kernel lies wholly outside get an edge with count 0. */
export function planColumns(g: ColumnGeometry): ColumnPlan {
  const edges: EdgePixel[] = [];
  let [innerStart, innerCount] = [0, 0];
  for (let x = 0; x < g.outputWidth; x++) {
    const origin = x * g.strideWidth - g.padLeft;
    // Kernel columns k with 0 ≤ origin + k · dilation < inputWidth.
    const first = Math.min(Math.max(Math.ceil(-origin / g.dilationWidth), 0), g.kernelWidth);
    const end = Math.min(Math.ceil((g.inputWidth - origin) / g.dilationWidth), g.kernelWidth);
    const count = Math.max(end - first, 0);
    if (count === g.kernelWidth) {
      if (innerCount === 0) innerStart = x;
      innerCount++;
    } else {
      edges.push({ x, first: count === 0 ? 0 : first, count });
    }
  }
  return { edges, innerStart, innerCount };
}
