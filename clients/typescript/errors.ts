// Why a call, or one item of it, failed.
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

export class VoxgateError extends Error {
  constructor(
    readonly code: number, // canonical gRPC status code
    readonly reason: string, // a name of ErrorReason without its prefix: act on this
    message: string,
    readonly remedy = "", // for people
    readonly retryAfterS: number | undefined = undefined, // when to try again, where the server says
  ) {
    super(message);
  }
}

// An answer that ended well but is not what the contract promises: never to be taken for data.
export function incomplete(message: string): VoxgateError {
  return new VoxgateError(Code.DataLoss, "", message);
}

// What a failed call says: google.rpc.ErrorInfo and RetryInfo of its details, else only its code.
export function voxgateError(thrown: unknown): VoxgateError {
  if (thrown instanceof VoxgateError) return thrown;
  const failed = ConnectError.from(thrown);
  const info = failed.findDetails(ErrorInfoSchema).find((one) => one.domain === "voxgate");
  const delay = failed.findDetails(RetryInfoSchema).at(0)?.retryDelay;
  const retryAfterS = delay && Number(delay.seconds) + delay.nanos * 1e-9;
  return new VoxgateError(failed.code, info?.reason ?? "", failed.rawMessage, info?.metadata["remedy"], retryAfterS);
}
