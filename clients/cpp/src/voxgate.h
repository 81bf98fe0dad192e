// What a program needs of voxgate: connect, list segments, fetch the mesh of a body, read a cutout. Made from the
// contract (voxgate/v1/*.proto) alone. Nothing here is thread-safe but a Connection, whose calls may run at once.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "voxgate/v1/mesh.grpc.pb.h"
#include "voxgate/v1/segment.grpc.pb.h"
#include "voxgate/v1/volume.grpc.pb.h"

namespace voxgate {

// Why a call, or one item of it, failed.
struct Error : std::runtime_error {
  Error(int code, std::string reason, const std::string& message)
      : std::runtime_error(message), code(code), reason(std::move(reason)) {}

  int code;                             // canonical gRPC status code
  std::string reason;                   // a name of v1::ErrorReason without its prefix: act on this
  std::string remedy;                   // for people; may be empty
  std::optional<double> retry_after_s;  // when to try again, where the server says
};

// Throws what a failed status says: google.rpc.ErrorInfo and RetryInfo of its details, else only its code.
void Check(const grpc::Status& status);

// An answer that ended well but is not what the contract promises: never to be taken for data.
Error Incomplete(const std::string& message);

// Where a server is and how to talk to it.
struct Settings {
  std::string address;      // "host:port"
  std::string token;        // sent as "authorization: Bearer TOKEN"; empty sends nothing
  double deadline_s = 120;  // of each call
  bool tls = false;         // trust the system's authorities
};

// The whole surface of one segment.
struct Mesh {
  std::vector<float> vertices;  // x, y, z, x, y, z, …; nanometres, global frame
  std::vector<float> normals;   // likewise, unit vectors that point outside; empty unless MeshSpec.normals
  std::vector<uint32_t> faces;  // three vertices each, from 0, counter-clockwise seen from outside
  v1::MeshEnd end;              // segment, counts, origin, scale, statistics
  v1::MeshProvenance provenance;
};

// A box of voxels.
struct Cutout {
  v1::CutoutHeader header;  // data type, box, channels
  std::string voxels;       // little-endian, x fastest, then y, z, channel
};

class Connection {
 public:
  explicit Connection(const Settings& settings);

  // The first page of a volume's segments. Throws Error.
  v1::ListSegmentsResponse ListSegments(const v1::ListSegmentsRequest& request);

  // Meshes the one segment of the spec. Throws Error: of the call, of the item (such as SEGMENT_NOT_FOUND), or
  // Incomplete.
  Mesh GetMesh(const v1::MeshSpec& spec);

  // Reads a box; accept_encodings has to be empty. Throws Error.
  Cutout ReadCutout(const v1::ReadCutoutRequest& request);

 private:
  // A context with deadline and token, for one call.
  std::unique_ptr<grpc::ClientContext> Call() const;

  // Hands every message of a stream to `take`, then checks the status. A throw of `take` cancels the call.
  template <typename Response, typename Take>
  static void Drain(grpc::ClientContext& call, grpc::ClientReader<Response>& stream, Take take) {
    try {
      for (Response message; stream.Read(&message);) take(message);
    } catch (...) {
      call.TryCancel();
      stream.Finish();
      throw;
    }
    Check(stream.Finish());
  }

  Settings settings_;
  std::unique_ptr<v1::VolumeService::Stub> volumes_;
  std::unique_ptr<v1::SegmentService::Stub> segments_;
  std::unique_ptr<v1::MeshService::Stub> meshes_;
};

}  // namespace voxgate
