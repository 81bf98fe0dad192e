// Connects from Node, which speaks gRPC itself; browser.ts is for browsers.
import { createGrpcTransport } from "@connectrpc/connect-node";
import { callsOver, identified, type Connection } from "./calls.js";

export { VoxgateError } from "./errors.js";
export type { Connection, Cutout, Mesh } from "./calls.js";

// Where a server is and how to talk to it.
export interface Settings {
  address: string; // "host:port"
  token?: string; // sent as "authorization: Bearer TOKEN"
  deadlineS?: number; // of each call; 120 when not given
  tls?: boolean; // trust Node's authorities
}

// Opens the way to a server.
export function connect({ address, token, deadlineS = 120, tls = false }: Settings): Connection {
  const transport = createGrpcTransport({
    baseUrl: `${tls ? "https" : "http"}://${address}`,
    defaultTimeoutMs: deadlineS * 1000,
    interceptors: [identified(token)],
  });
  return callsOver(transport);
}
