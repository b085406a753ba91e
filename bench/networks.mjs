// Networks that benchmarks of kernels run: layers that are all matrix product, and the shapes of well-known ones.

export const NETWORKS = {
  fully_connected_4x4096: (net) => {
    let x = net.input([1, 4096]);
    for (let layer = 0; layer < 4; layer++) x = net.fullyConnected(x, 4096);
    return x;
  },
  lstm_2048: (net) => net.lstm(net.input([1, 4, 2048]), 2048),
  lstm_1024: (net) => net.lstm(net.input([1, 8, 1024]), 1024),
  lstm_512: (net) => net.lstm(net.input([1, 16, 512]), 512),
  lstm_128: (net) => net.lstm(net.input([1, 50, 128]), 128),
  lstm_32: (net) => net.lstm(net.input([1, 50, 32]), 32),
  embedding_fully_connected: (net) => {
    const rows = net.embedding(net.input([1], "int32"), 20_000, 1024);
    return net.fullyConnected(net.fullyConnected(rows, 4096), 4096);
  },
  resnet50: (net) => {
    let x = net.maxPool(net.conv(net.input([1, 224, 224, 3]), 64, 7, 2, "RELU"));
    for (const [channels, blocks, stride] of [
      [64, 3, 1],
      [128, 4, 2],
      [256, 6, 2],
      [512, 3, 2],
    ]) {
      for (let block = 0; block < blocks; block++) {
        const step = block === 0 ? stride : 1;
        const shortcut = block === 0 ? net.conv(x, 4 * channels, 1, step, "NONE") : x;
        const narrow = net.conv(net.conv(x, channels, 1, step, "RELU"), channels, 3, 1, "RELU");
        x = net.add(net.conv(narrow, 4 * channels, 1, 1, "NONE"), shortcut, "RELU");
      }
    }
    return net.fullyConnected(net.globalMean(x), 1000, "NONE");
  },
  mobilenet_v1: (net) => {
    let x = net.conv(net.input([1, 224, 224, 3]), 32, 3, 2);
    for (const [channels, stride] of [
      ...[
        [64, 1],
        [128, 2],
        [128, 1],
        [256, 2],
        [256, 1],
        [512, 2],
      ],
      ...Array(5).fill([512, 1]),
      ...[
        [1024, 2],
        [1024, 1],
      ],
    ]) {
      x = net.conv(net.depthwise(x, stride), channels, 1, 1);
    }
    return net.fullyConnected(net.globalMean(x), 1000, "NONE");
  },
  mobilenet_v2: (net) => {
    let [x, depth] = [net.conv(net.input([1, 224, 224, 3]), 32, 3, 2), 32];
    for (const [factor, channels, repeats, stride] of [
      ...[
        [1, 16, 1, 1],
        [6, 24, 2, 2],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
      ],
      ...[
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
      ],
    ]) {
      for (let block = 0; block < repeats; block++) {
        const step = block === 0 ? stride : 1;
        const wide = factor === 1 ? x : net.conv(x, factor * depth, 1, 1);
        const narrow = net.conv(net.depthwise(wide, step), channels, 1, 1, "NONE");
        x = step === 1 && depth === channels ? net.add(narrow, x) : narrow;
        depth = channels;
      }
    }
    return net.fullyConnected(net.globalMean(net.conv(x, 1280, 1, 1)), 1000, "NONE");
  },
};
