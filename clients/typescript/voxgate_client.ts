// Lists the largest segments of a volume, saves the mesh of a whole body, or a cutout.
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Code } from "@connectrpc/connect";
import { MeshOrigin, type MeshEnd } from "./gen/voxgate/v1/mesh_pb.js";
import { SegmentOrder } from "./gen/voxgate/v1/segment_pb.js";
import { DataType, type PointNm } from "./gen/voxgate/v1/types_pb.js";
import { nineDigits, objText } from "./obj.js";
import { connectFromBrowser } from "./browser.js";
import { connect, VoxgateError, type Connection } from "./voxgate.js";

const USAGE = `voxgate_client ADDRESS VOLUME                    lists the largest segments
voxgate_client ADDRESS VOLUME SEGMENT_ID         saves the mesh of a whole body as OBJ
voxgate_client ADDRESS VOLUME --cutout=X0:X1,Y0:Y1,Z0:Z1   saves voxels (raw; x fastest, then y, z, channel)
  -o, --output FILE    where to save (body.obj or cutout.raw)
  --deadline-s S       of each call, seconds (120)
  --scale KEY          the scale by its key (the finest)
  --scale-index N      the scale by its number
  --normals            save a normal for each vertex too
  --top N              how many segments to list (10)
  --tls                talk TLS and trust Node's authorities
  --connect            speak Connect with a URL, not gRPC-Web
ADDRESS is host:port; a URL of the HTTP port is spoken to as a browser does.
VOXGATE_TOKEN is sent as "authorization: Bearer TOKEN".
`;

class Misused extends Error {}

function parsedWish() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: "string", short: "o" },
      "deadline-s": { type: "string", default: "120" },
      scale: { type: "string" },
      "scale-index": { type: "string" },
      cutout: { type: "string" },
      normals: { type: "boolean", default: false },
      top: { type: "string", default: "10" },
      tls: { type: "boolean", default: false },
      connect: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const [address, volume, segmentId, ...more] = positionals;
  if (volume === undefined || more.length || (segmentId !== undefined && values.cutout !== undefined))
    throw new Misused("ADDRESS and VOLUME, then what to do");
  const deadlineS = Number(values["deadline-s"]);
  if (!(deadlineS > 0 && deadlineS < 1e6)) throw new Misused("--deadline-s is above 0");
  return {
    settings: { address, deadlineS, token: process.env["VOXGATE_TOKEN"], tls: values.tls },
    protocol: values.connect ? ("connect" as const) : ("grpc-web" as const),
    asked: { volume, scale: parsedScale(values.scale, values["scale-index"]) },
    segmentId: segmentId === undefined ? undefined : parsedId(segmentId),
    cutout: values.cutout === undefined ? undefined : parsedBox(values.cutout),
    top: parsedNumber(values.top, "--top"),
    normals: values.normals,
    output: values.output,
  };
}

type Wish = NonNullable<ReturnType<typeof parsedWish>>;

function parsedNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Misused(`${name} cannot be ${text}`);
  return Number(text);
}

// An id stays text: numbers end at 2^53, ids at 2^64.
function parsedId(text: string): string {
  if (!/^\d+$/.test(text) || BigInt(text) >= 1n << 64n) throw new Misused(`SEGMENT_ID cannot be ${text}`);
  return BigInt(text).toString();
}

function parsedScale(key: string | undefined, index: string | undefined) {
  if (key !== undefined) return { case: "scaleKey", value: key } as const;
  if (index !== undefined) return { case: "scaleIndex", value: parsedNumber(index, "--scale-index") } as const;
  return { case: undefined };
}

function parsedBox(text: string) {
  const found = /^(-?\d+):(-?\d+),(-?\d+):(-?\d+),(-?\d+):(-?\d+)$/.exec(text);
  if (!found) throw new Misused("a cutout is X0:X1,Y0:Y1,Z0:Z1");
  const [x0, x1, y0, y1, z0, z1] = found.slice(1).map(BigInt);
  return { start: { x: x0, y: y0, z: z0 }, stop: { x: x1, y: y1, z: z1 } };
}

async function list(server: Connection, wish: Wish): Promise<void> {
  const answer = await server.listSegments({ ...wish.asked, order: SegmentOrder.LARGEST_FIRST, pageSize: wish.top });
  console.log(`${answer.segments.length} of ${answer.totalCount} segments: id, voxels`);
  for (const one of answer.segments) console.log(`${one.segmentId} ${one.voxelCount}`);
}

function place(at: PointNm | undefined): string {
  return [at?.x ?? 0, at?.y ?? 0, at?.z ?? 0].map(nineDigits).join(" ");
}

function printFacts(end: MeshEnd): void {
  console.log(`segment ${end.segmentId}\nvertices ${end.vertexCount}\nfaces ${end.faceCount}`);
  console.log(`origin ${end.origin === MeshOrigin.STORED ? "stored" : "computed"}\nscale ${end.scaleIndex}`);
  const known = end.statistics;
  if (!known) return;
  if (known.voxelCount !== undefined) console.log(`voxel_count ${known.voxelCount}`);
  if (known.volumeNm3 !== undefined) console.log(`volume_nm3 ${nineDigits(known.volumeNm3)}`);
  console.log(`surface_nm2 ${nineDigits(known.surfaceNm2)}`);
  console.log(`min_nm ${place(known.minNm)}\nmax_nm ${place(known.maxNm)}`);
  console.log(`watertight ${known.watertight}\nerror_nm ${nineDigits(known.errorNm)}`);
}

async function saveMesh(server: Connection, wish: Wish, segmentId: string): Promise<void> {
  const mesh = await server.getMesh(segmentId, { ...wish.asked, normals: wish.normals });
  printFacts(mesh.end);
  await save(wish.output ?? "body.obj", objText(mesh));
}

async function saveCutout(server: Connection, wish: Wish): Promise<void> {
  const { header, voxels } = await server.readCutout({ ...wish.asked, box: wish.cutout });
  console.log(`DATA_TYPE_${DataType[header.dataType]} ${voxels.length / header.fillValue.length} voxels`);
  await save(wish.output ?? "cutout.raw", voxels);
}

async function save(path: string, content: Uint8Array | Iterable<string>): Promise<void> {
  await writeFile(path, content);
  console.log(`saved ${path}`);
}

// What to do about an error: by its reason where voxgate gave one, else by its code.
function explain(error: VoxgateError): void {
  console.error(`error ${error.code}${error.reason && " "}${error.reason}: ${error.message}`);
  if (error.remedy) console.error(`remedy: ${error.remedy}`);
  if (error.reason === "SEGMENT_NOT_FOUND") console.error("leave SEGMENT_ID out to list the largest segments");
  if (error.retryAfterS !== undefined) console.error(`try again in ${nineDigits(error.retryAfterS)} s`);
  else if (error.code === Code.Unavailable) console.error("try again, and look whether a server listens there");
}

function connected({ settings, protocol }: Wish): Connection {
  if (!/^https?:/.test(settings.address)) return connect(settings);
  return connectFromBrowser({ ...settings, url: settings.address, protocol });
}

async function main(): Promise<number> {
  let wish: Wish | undefined;
  try {
    wish = parsedWish();
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  if (!wish) {
    console.log(USAGE);
    return 0;
  }
  try {
    const server = connected(wish);
    if (wish.cutout) await saveCutout(server, wish);
    else if (wish.segmentId !== undefined) await saveMesh(server, wish, wish.segmentId);
    else await list(server, wish);
    return 0;
  } catch (error) {
    if (error instanceof VoxgateError) explain(error);
    else console.error(`error: ${(error as Error).message}`);
    return 1;
  }
}

process.exitCode = await main();
