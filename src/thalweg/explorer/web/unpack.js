// Arrays of the page (thalweg.explorer.pack): base64 of zlib of byte planes.

async function inflate(text) {
  const coded = atob(text), bytes = new Uint8Array(coded.length);
  for (let i = 0; i < coded.length; i++) bytes[i] = coded.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A table (row, place) of numbers, all rows one after the other.
async function unpackNumbers(text) {
  if (!text) return new Float32Array(0);
  const bytes = await inflate(text), count = bytes.length / 4, joined = new Uint8Array(bytes.length);
  for (let plane = 0; plane < 4; plane++)
    for (let i = 0; i < count; i++) joined[4 * i + plane] = bytes[plane * count + i];
  return new Float32Array(joined.buffer);
}

// Function of the position of a place that returns its series, NaN where there is no value.
async function unpackSeries(text, places, length, relativeStep) {
  const bytes = await inflate(text), header = new Float32Array(bytes.buffer, 0, 2 * places);
  const low = 8 * places, high = low + places * length;
  return place => {
    const values = new Float64Array(length), offset = header[place], scale = header[places + place];
    let code = 0;
    for (let i = 0, at = place * length; i < length; i++, at++) {
      const stored = bytes[low + at] + 256 * bytes[high + at];
      if (stored === 0) { values[i] = NaN; continue; }
      const zigzag = stored - 1;
      code += zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
      values[i] = offset + scale * (relativeStep ? Math.sinh(relativeStep * code) : code);
    }
    return values;
  };
}
