// Puts the chunks of ReadCutout where they belong, and checks that they cover the box.
import { incomplete } from "./errors.js";
import { ArrayCodec, type Box, type Chunk } from "./gen/voxgate/v1/types_pb.js";
import type { CutoutHeader, ReadCutoutResponse } from "./gen/voxgate/v1/volume_pb.js";

// A box of voxels: little-endian, x fastest, then y, z, channel.
export interface Cutout {
  header: CutoutHeader;
  voxels: Uint8Array;
}

// A box as plain numbers (places fit in 2^53, ids do not), the place of a voxel in its bytes, and its voxel count.
function grid(box: Box | undefined) {
  if (!box?.start || !box.stop) throw incomplete("a chunk does not say where it is");
  const [x0, y0, z0] = [Number(box.start.x), Number(box.start.y), Number(box.start.z)];
  const [x1, y1, z1] = [Number(box.stop.x), Number(box.stop.y), Number(box.stop.z)];
  const at = (x: number, y: number, z: number) => ((z - z0) * (y1 - y0) + y - y0) * (x1 - x0) + x - x0;
  const count = Math.max(0, x1 - x0) * Math.max(0, y1 - y0) * Math.max(0, z1 - z0);
  return { x0, y0, z0, x1, y1, z1, at, count };
}

type Grid = ReturnType<typeof grid>;

function holds(outer: Grid, inner: Grid): boolean {
  const starts = outer.x0 <= inner.x0 && outer.y0 <= inner.y0 && outer.z0 <= inner.z0;
  return starts && inner.x1 <= outer.x1 && inner.y1 <= outer.y1 && inner.z1 <= outer.z1 && inner.count > 0;
}

// The same bytes again and again.
function repeated(bytes: Uint8Array, count: number): Uint8Array {
  const whole = new Uint8Array(bytes.length * count);
  if (!bytes.some((byte) => byte !== 0)) return whole;
  whole.set(bytes.subarray(0, whole.length));
  for (let done = bytes.length; done < whole.length; done *= 2) whole.copyWithin(done, 0, done);
  return whole;
}

// A cutout that grows, and which of its voxels have been answered.
class Growing {
  readonly voxels: Uint8Array;
  readonly covered: Uint8Array;
  private readonly whole: Grid;

  constructor(readonly header: CutoutHeader) {
    if (!header.fillValue.length || !header.channelCount) throw incomplete("the header does not say what voxels are");
    this.whole = grid(header.box);
    this.covered = new Uint8Array(this.whole.count * header.channelCount);
    this.voxels = repeated(header.fillValue, this.covered.length);
  }

  add(chunk: Chunk): void {
    const [box, data] = [grid(chunk.box), grid(chunk.dataBox ?? chunk.box)];
    const size = this.header.fillValue.length; // of one element
    const encoding = this.header.encodings.at(chunk.encodingIndex);
    if (!encoding || !holds(this.whole, box) || !holds(data, box)) throw incomplete("a chunk is not of this answer");
    // Without acceptEncodings in the request there are these two.
    const raw = encoding.array === ArrayCodec.RAW; // else FILL
    if (raw && chunk.data.length !== data.count * this.header.channelCount * size)
      throw incomplete(`a chunk has ${chunk.data.length} bytes`);
    const row = box.x1 - box.x0;
    for (let c = 0; c < this.header.channelCount; ++c)
      for (let z = box.z0; z < box.z1; ++z)
        for (let y = box.y0; y < box.y1; ++y) {
          const to = c * this.whole.count + this.whole.at(box.x0, y, z);
          const from = c * data.count + data.at(box.x0, y, z);
          if (raw) this.voxels.set(chunk.data.subarray(from * size, (from + row) * size), to * size);
          this.covered.fill(1, to, to + row);
        }
  }
}

// Reads the stream to its end.
export async function joinCutout(stream: AsyncIterable<ReadCutoutResponse>): Promise<Cutout> {
  let growing: Growing | undefined;
  let ended = false;
  for await (const message of stream) {
    if (message.header) growing = new Growing(message.header);
    for (const chunk of message.chunks) {
      if (!growing) throw incomplete("a chunk came before the header");
      growing.add(chunk);
    }
    ended ||= message.summary !== undefined;
  }
  // Coverage decides, not the status.
  if (!growing || !ended || !growing.covered.length || growing.covered.includes(0))
    throw incomplete("the answer does not cover the box");
  return { header: growing.header, voxels: growing.voxels };
}
