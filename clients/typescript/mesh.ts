// Joins the stream of GetMeshes to one mesh: parts are appended, the end says whether they are all.
import { incomplete, VoxgateError } from "./errors.js";
import type { GetMeshesResponse, MeshEnd, MeshPart, MeshProvenance } from "./gen/voxgate/v1/mesh_pb.js";

// The whole surface of one segment.
export interface Mesh {
  vertices: Float32Array; // x, y, z, x, y, z, …; nanometres, global frame
  normals: Float32Array; // likewise, unit vectors that point outside; empty unless MeshSpec.normals
  faces: Uint32Array; // three vertices each, from 0, counter-clockwise seen from outside
  end: MeshEnd; // segment, counts, origin, scale, statistics
  provenance: MeshProvenance | undefined;
}

const ROW_BYTES = 12; // of a vertex, a normal (three float32) and a face (three uint32)

// Rows of three that arrive piece by piece.
class Table {
  private readonly pieces: Uint8Array[] = [];
  count = 0;

  // Takes rows out of a message from a byte on; answers the byte after them.
  take(data: Uint8Array, at: number, count: number): number {
    const stop = at + count * ROW_BYTES;
    this.pieces.push(data.subarray(at, stop));
    this.count += count;
    return stop;
  }

  // All bytes, at a place in memory that a typed array of 4-byte numbers may begin at.
  buffer(): ArrayBuffer {
    const whole = new Uint8Array(this.count * ROW_BYTES);
    let at = 0;
    for (const piece of this.pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole.buffer;
  }
}

class Growing {
  readonly vertices = new Table();
  readonly normals = new Table();
  readonly faces = new Table();

  append(part: MeshPart): void {
    if (part.firstVertex !== this.vertices.count) throw incomplete("a part of the mesh is missing");
    const rows = part.vertexCount * (part.hasNormals ? 2 : 1) + part.faceCount;
    if (part.data.length !== rows * ROW_BYTES) throw incomplete(`a part of the mesh has ${part.data.length} bytes`);
    let at = this.vertices.take(part.data, 0, part.vertexCount);
    if (part.hasNormals) at = this.normals.take(part.data, at, part.vertexCount);
    this.faces.take(part.data, at, part.faceCount);
  }

  whole(end: MeshEnd, provenance: MeshProvenance | undefined): Mesh {
    if (end.error) throw new VoxgateError(end.error.code, end.error.reason, end.error.message);
    const [vertices, faces] = [this.vertices.count, this.faces.count];
    if (end.vertexCount !== BigInt(vertices) || end.faceCount !== BigInt(faces))
      throw incomplete(
        `the mesh came with ${vertices} vertices and ${faces} faces instead of ${end.vertexCount} and ${end.faceCount}`,
      );
    if (this.normals.count && this.normals.count !== vertices)
      throw incomplete("the mesh came with normals for some vertices only");
    const indices = new Uint32Array(this.faces.buffer());
    if (indices.some((index) => index >= vertices)) throw incomplete("a face points to a vertex that was not sent");
    return {
      vertices: new Float32Array(this.vertices.buffer()),
      normals: new Float32Array(this.normals.buffer()),
      faces: indices,
      end,
      provenance,
    };
  }
}

// Reads the stream of one segment to its end. Throws VoxgateError for the item's own error (such as SEGMENT_NOT_FOUND)
// and for a mesh that is incomplete.
export async function joinMesh(segmentId: string, stream: AsyncIterable<GetMeshesResponse>): Promise<Mesh> {
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) throw new Error("bytes are taken as they come, and they come little-endian");
  const growing = new Growing();
  let [end, provenance]: [MeshEnd | undefined, MeshProvenance | undefined] = [undefined, undefined];
  const expect = (id: string) => {
    if (id !== segmentId || end) throw incomplete(`segment ${id} was not asked for, or came after its end`);
  };
  for await (const message of stream) {
    provenance ??= message.provenance;
    for (const part of message.parts) {
      expect(part.segmentId);
      growing.append(part);
    }
    for (const one of message.ends) {
      expect(one.segmentId);
      end = one;
    }
  }
  if (!end) throw incomplete("the stream ended before the mesh");
  return growing.whole(end, provenance);
}
