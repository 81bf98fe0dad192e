// What a program needs of voxgate: connect, list segments, fetch the mesh of a body, read a cutout. Made from the
// contract (voxgate/v1/*.proto) alone. Segment ids are strings: they do not fit a number.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { joinCutout, type Cutout } from "./cutout.js";
import { voxgateError } from "./errors.js";
import { MeshService, type MeshSpecSchema } from "./gen/voxgate/v1/mesh_pb.js";
import { SegmentService, type ListSegmentsRequestSchema, type ListSegmentsResponse } from "./gen/voxgate/v1/segment_pb.js";
import { VolumeService, type ReadCutoutRequestSchema } from "./gen/voxgate/v1/volume_pb.js";
import { joinMesh, type Mesh } from "./mesh.js";

export { VoxgateError } from "./errors.js";
export type { Cutout, Mesh };

// Where a server is and how to talk to it.
export interface Settings {
  address: string; // "host:port"
  token?: string; // sent as "authorization: Bearer TOKEN"
  deadlineS?: number; // of each call; 120 when not given
  tls?: boolean; // trust Node's authorities
}

type MeshOfOne = Omit<MessageInitShape<typeof MeshSpecSchema>, "segmentIds" | "$typeName">;

// Opens the way to a server. Its calls throw VoxgateError, and may run at once.
export function connect({ address, token, deadlineS = 120, tls = false }: Settings) {
  const identify: Interceptor = (next) => (request) => {
    if (token) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const transport = createGrpcTransport({
    baseUrl: `${tls ? "https" : "http"}://${address}`,
    defaultTimeoutMs: deadlineS * 1000,
    interceptors: [identify],
  });
  const [volumes, segments, meshes] = [VolumeService, SegmentService, MeshService] as const;
  const told = <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((thrown: unknown) => {
      throw voxgateError(thrown);
    });
  return {
    // The first page of a volume's segments.
    listSegments: (request: MessageInitShape<typeof ListSegmentsRequestSchema>): Promise<ListSegmentsResponse> =>
      told(createClient(segments, transport).listSegments(request)),
    // The mesh of one segment.
    getMesh: (segmentId: string, spec: MeshOfOne): Promise<Mesh> =>
      told(joinMesh(segmentId, createClient(meshes, transport).getMeshes({ spec: { ...spec, segmentIds: [segmentId] } }))),
    // The voxels of a box; acceptEncodings has to be empty.
    readCutout: (request: MessageInitShape<typeof ReadCutoutRequestSchema>): Promise<Cutout> =>
      told(joinCutout(createClient(volumes, transport).readCutout(request))),
  };
}

export type Connection = ReturnType<typeof connect>;
