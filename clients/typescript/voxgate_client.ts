// Saves a cutout (cutout.raw) and a mesh (mesh.ngf), made from the protos alone; requests are protobuf JSON:
//   voxgate_client.js HOST:PORT '{"volume": "fib25/em", "box": {"start": {"x": 9}, "stop": {...}}}' '{"spec": {...}}'
import { writeFileSync } from "node:fs";
import { fromJsonString } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { GetMeshesRequestSchema, MeshService, type GetMeshesResponse, type MeshEnd } from "./gen/voxgate/v1/mesh_pb.js";
import { ArrayCodec, DataType, type Box } from "./gen/voxgate/v1/types_pb.js";
import type { CutoutHeader, ReadCutoutResponse } from "./gen/voxgate/v1/volume_pb.js";
import { ReadCutoutRequestSchema, VolumeService } from "./gen/voxgate/v1/volume_pb.js";

// A box as plain numbers (places fit in 2^53, ids do not), the place of a voxel in its bytes, and its voxel count.
function grid(box: Box | undefined) {
  const [x0, y0, z0] = [Number(box!.start!.x), Number(box!.start!.y), Number(box!.start!.z)];
  const [x1, y1, z1] = [Number(box!.stop!.x), Number(box!.stop!.y), Number(box!.stop!.z)];
  const at = (x: number, y: number, z: number) => ((z - z0) * (y1 - y0) + y - y0) * (x1 - x0) + x - x0;
  return { x0, y0, z0, x1, y1, z1, at, count: (x1 - x0) * (y1 - y0) * (z1 - z0) };
}

async function saveCutout(stream: AsyncIterable<ReadCutoutResponse>) {
  let head: CutoutHeader | undefined;
  let voxels = Buffer.alloc(0); // x fastest, then y, z, channel
  let covered = new Uint8Array(0);
  let ended = false;
  for await (const message of stream) {
    if (message.header) {
      head = message.header;
      covered = new Uint8Array(grid(head.box).count * head.channelCount);
      voxels = Buffer.alloc(covered.length * head.fillValue.length, head.fillValue);
    }
    for (const chunk of message.chunks) {
      const [whole, box, data] = [grid(head!.box), grid(chunk.box), grid(chunk.dataBox ?? chunk.box)];
      const raw = head!.encodings[chunk.encodingIndex].array === ArrayCodec.RAW; // else FILL
      const [size, row] = [head!.fillValue.length, box.x1 - box.x0];
      for (let c = 0; c < head!.channelCount; ++c)
        for (let z = box.z0; z < box.z1; ++z)
          for (let y = box.y0; y < box.y1; ++y) {
            const [to, from] = [c * whole.count + whole.at(box.x0, y, z), c * data.count + data.at(box.x0, y, z)];
            if (raw) voxels.set(chunk.data.subarray(from * size, (from + row) * size), to * size);
            covered.fill(1, to, to + row);
          }
    }
    ended ||= message.summary !== undefined;
  }
  if (!head || !ended || covered.includes(0)) throw new ConnectError("the box is not covered", Code.DataLoss);
  writeFileSync("cutout.raw", voxels);
  console.log(`DATA_TYPE_${DataType[head.dataType]} ${covered.length} voxels`);
}

async function saveMesh(stream: AsyncIterable<GetMeshesResponse>) {
  const [vertices, faces]: Uint8Array[][] = [[], []]; // 12 bytes each: float32 x, y, z (nm); three uint32
  let end: MeshEnd | undefined;
  for await (const message of stream) {
    for (const part of message.parts) {
      vertices.push(part.data.subarray(0, part.vertexCount * 12));
      faces.push(part.data.subarray(part.vertexCount * 12));
    }
    end = message.ends.at(0) ?? end; // one segment was asked for
  }
  if (end?.error) throw new ConnectError(`${end.error.reason}: ${end.error.message}`, end.error.code);
  const count = Uint32Array.of(Number(end?.vertexCount ?? 0));
  if (!end || Buffer.concat(vertices).length !== count[0] * 12) throw new ConnectError("incomplete", Code.DataLoss);
  writeFileSync("mesh.ngf", Buffer.concat([new Uint8Array(count.buffer), ...vertices, ...faces]));
  console.log(`${end.vertexCount} vertices, ${end.faceCount} faces`);
}

const [address, read, mesh] = process.argv.slice(2);
const transport = createGrpcTransport({ baseUrl: `http://${address}`, defaultTimeoutMs: 120_000 });
try {
  await saveCutout(createClient(VolumeService, transport).readCutout(fromJsonString(ReadCutoutRequestSchema, read)));
  await saveMesh(createClient(MeshService, transport).getMeshes(fromJsonString(GetMeshesRequestSchema, mesh)));
} catch (error) {
  const failed = ConnectError.from(error);
  const reason = failed.findDetails(ErrorInfoSchema).at(0)?.reason;
  console.log(`error ${failed.code} ${reason ? `${reason}: ` : ""}${failed.rawMessage}`);
  process.exit(1);
}
