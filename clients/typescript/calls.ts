// What a program needs of voxgate: list segments, fetch the mesh of a body, read a cutout. Made from the contract
// (voxgate/v1/*.proto) alone, for Node and browsers alike. Segment ids are strings: they do not fit a number.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type CallOptions, type Interceptor, type Transport } from "@connectrpc/connect";
import { joinCutout, type Cutout } from "./cutout.js";
import { voxgateError } from "./errors.js";
import { MeshService, type MeshSpecSchema } from "./gen/voxgate/v1/mesh_pb.js";
import type { ListSegmentsRequestSchema, ListSegmentsResponse } from "./gen/voxgate/v1/segment_pb.js";
import { SegmentService } from "./gen/voxgate/v1/segment_pb.js";
import { VolumeService, type ReadCutoutRequestSchema } from "./gen/voxgate/v1/volume_pb.js";
import { joinMesh, type Mesh } from "./mesh.js";

export { VoxgateError } from "./errors.js";
export type { Cutout, Mesh };

type MeshOfOne = Omit<MessageInitShape<typeof MeshSpecSchema>, "segmentIds" | "$typeName">;

// The messages of a stream, which is cancelled when its reader stops early: connect's own iterator leaves such a stream
// open, and a timer that keeps the process alive, until the deadline.
async function* cancelling<T>(call: (options: CallOptions) => AsyncIterable<T>): AsyncGenerator<T> {
  const open = new AbortController();
  const messages = call({ signal: open.signal })[Symbol.asyncIterator]();
  try {
    for (let next = await messages.next(); !next.done; next = await messages.next()) yield next.value;
  } finally {
    open.abort();
    // What is left comes to its end at once, which stops the timer.
    await messages.next().catch(() => undefined);
  }
}

// Sends a token with every call, where there is one.
export function identified(token: string | undefined): Interceptor {
  return (next) => (request) => {
    if (token) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}

// The calls, over whatever carries them. They throw VoxgateError, and may run at once.
export function callsOver(transport: Transport) {
  const volumes = createClient(VolumeService, transport);
  const segments = createClient(SegmentService, transport);
  const meshes = createClient(MeshService, transport);
  const told = <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((thrown: unknown) => {
      throw voxgateError(thrown);
    });
  return {
    // The first page of a volume's segments.
    listSegments: (request: MessageInitShape<typeof ListSegmentsRequestSchema>): Promise<ListSegmentsResponse> =>
      told(segments.listSegments(request)),
    // The mesh of one segment.
    getMesh: (segmentId: string, spec: MeshOfOne): Promise<Mesh> => {
      const request = { spec: { ...spec, segmentIds: [segmentId] } };
      return told(joinMesh(segmentId, cancelling((options) => meshes.getMeshes(request, options))));
    },
    // The voxels of a box; acceptEncodings has to be empty.
    readCutout: (request: MessageInitShape<typeof ReadCutoutRequestSchema>): Promise<Cutout> =>
      told(joinCutout(cancelling((options) => volumes.readCutout(request, options)))),
  };
}

export type Connection = ReturnType<typeof callsOver>;
