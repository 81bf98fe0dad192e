#include <chrono>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "voxgate.h"

namespace voxgate {

void Check(const grpc::Status& status) {
  if (status.ok()) return;
  Error error(status.error_code(), "", status.error_message());
  google::rpc::Status details;
  // Empty or foreign bytes parse to nothing or not at all: the error is then told by its code.
  if (details.ParseFromString(status.error_details())) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    for (const auto& any : details.details()) {
      if (any.UnpackTo(&info) && info.domain() == "voxgate") {
        error.reason = info.reason();
        const auto remedy = info.metadata().find("remedy");
        if (remedy != info.metadata().end()) error.remedy = remedy->second;
      } else if (any.UnpackTo(&retry)) {
        error.retry_after_s = retry.retry_delay().seconds() + retry.retry_delay().nanos() * 1e-9;
      }
    }
  }
  throw error;
}

Error Incomplete(const std::string& message) { return Error(grpc::StatusCode::DATA_LOSS, "", message); }

Connection::Connection(const Settings& settings) : settings_(settings) {
  const auto channel = grpc::CreateChannel(
      settings.address, settings.tls ? grpc::SslCredentials({}) : grpc::InsecureChannelCredentials());
  volumes_ = v1::VolumeService::NewStub(channel);
  segments_ = v1::SegmentService::NewStub(channel);
  meshes_ = v1::MeshService::NewStub(channel);
}

std::unique_ptr<grpc::ClientContext> Connection::Call() const {
  auto call = std::make_unique<grpc::ClientContext>();
  const auto microseconds = static_cast<int64_t>(settings_.deadline_s * 1e6);
  call->set_deadline(std::chrono::system_clock::now() + std::chrono::microseconds(microseconds));
  if (!settings_.token.empty()) call->AddMetadata("authorization", "Bearer " + settings_.token);
  return call;
}

v1::ListSegmentsResponse Connection::ListSegments(const v1::ListSegmentsRequest& request) {
  const auto call = Call();
  v1::ListSegmentsResponse answer;
  Check(segments_->ListSegments(call.get(), request, &answer));
  return answer;
}

}  // namespace voxgate
