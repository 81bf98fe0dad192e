// Connects from a browser, or from anything else that has fetch, to voxgate's HTTP port.
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { callsOver, identified, type Connection } from "./calls.js";

export { VoxgateError } from "./errors.js";
export type { Connection, Cutout, Mesh } from "./calls.js";

// Where a gateway is and how to talk to it.
export interface WebSettings {
  url: string; // as in "http://localhost:8080"
  protocol?: "grpc-web" | "connect"; // the same calls and the same bytes; grpc-web when not given
  token?: string; // sent as "authorization: Bearer TOKEN"
  deadlineS?: number; // of each call; 120 when not given
}

// Opens the way to a gateway.
export function connectFromBrowser({ url, protocol = "grpc-web", token, deadlineS = 120 }: WebSettings): Connection {
  const create = protocol === "connect" ? createConnectTransport : createGrpcWebTransport;
  const interceptors = [identified(token)];
  return callsOver(create({ baseUrl: url, useBinaryFormat: true, defaultTimeoutMs: deadlineS * 1000, interceptors }));
}
