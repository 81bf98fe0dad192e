// Saves a cutout (cutout.raw) and a mesh (mesh.ngf), made from the protos alone; requests are protobuf JSON:
//   voxgate_client HOST:PORT '{"volume": "fib25/em", "box": {"start": {"x": 9}, "stop": {...}}}' '{"spec": {...}}'
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>
#include <fstream>
#include <iostream>
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "voxgate/v1/mesh.grpc.pb.h"
#include "voxgate/v1/volume.grpc.pb.h"
using namespace voxgate::v1;
void Check(const grpc::Status& status, std::string reason = "") {
  if (status.ok()) return;
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) reason = any.UnpackTo(&info) ? info.reason() : reason;
  std::cout << "error " << status.error_code() << " " << reason << ": " << status.error_message() << std::endl;
  std::exit(1);
}
int64_t At(const Box& box, int64_t x, int64_t y, int64_t z) {  // The place of a voxel in the bytes of a box.
  const int64_t nx = box.stop().x() - box.start().x(), ny = box.stop().y() - box.start().y();
  return ((z - box.start().z()) * ny + y - box.start().y()) * nx + x - box.start().x();
}
int64_t Count(const Box& box) { return At(box, box.start().x(), box.start().y(), box.stop().z()); }
void SaveCutout(grpc::ClientReader<ReadCutoutResponse>* stream) {
  CutoutHeader head;
  std::string voxels, covered;  // x fastest, then y, z, channel
  bool ended = false;
  for (ReadCutoutResponse message; stream->Read(&message); ended |= message.has_summary()) {
    if (message.has_header()) covered.resize(Count((head = message.header()).box()) * head.channel_count());
    const size_t size = head.fill_value().size();  // of one element
    while (voxels.size() < covered.size() * size) voxels += head.fill_value();
    for (const Chunk& chunk : message.chunks()) {
      const Box &box = chunk.box(), &data = chunk.has_data_box() ? chunk.data_box() : box;
      const bool raw = head.encodings(chunk.encoding_index()).array() == ARRAY_CODEC_RAW;  // else FILL
      const int64_t x = box.start().x(), row = box.stop().x() - x;
      for (int64_t c = 0; c < head.channel_count(); ++c)
        for (int64_t z = box.start().z(); z < box.stop().z(); ++z)
          for (int64_t y = box.start().y(); y < box.stop().y(); ++y) {
            size_t to = c * Count(head.box()) + At(head.box(), x, y, z), from = c * Count(data) + At(data, x, y, z);
            if (raw) voxels.replace(to * size, row * size, chunk.data(), from * size, row * size);
            covered.replace(to, row, row, 1);
          }
    }
  }
  Check(stream->Finish());
  if (!ended || covered.find('\0') != covered.npos) Check({grpc::DATA_LOSS, "the answer does not cover the box"});
  std::ofstream("cutout.raw", std::ios::binary) << voxels;
  std::cout << DataType_Name(head.data_type()) << " " << covered.size() << " voxels" << std::endl;
}
void SaveMesh(grpc::ClientReader<GetMeshesResponse>* stream) {
  std::string vertices, faces;  // 12 bytes each: float32 x, y, z in nm; uint32 numbers of three vertices
  MeshEnd end;
  for (GetMeshesResponse message; stream->Read(&message);) {
    for (const MeshPart& part : message.parts()) {
      vertices.append(part.data(), 0, part.vertex_count() * 12);
      faces.append(part.data(), part.vertex_count() * 12);
    }
    for (const MeshEnd& one : message.ends()) end = one;  // one segment was asked for
  }
  Check(stream->Finish());
  Check({grpc::StatusCode(end.error().code()), end.error().message()}, end.error().reason());  // 0 is OK
  const uint32_t count = end.vertex_count();
  if (!count || vertices.size() != count * 12) Check({grpc::DATA_LOSS, "the mesh is incomplete"});
  std::ofstream("mesh.ngf", std::ios::binary).write(reinterpret_cast<const char*>(&count), 4) << vertices << faces;
  std::cout << count << " vertices, " << end.face_count() << " faces" << std::endl;
}
int main(int argc, char** argv) {
  ReadCutoutRequest read;
  GetMeshesRequest mesh;
  using google::protobuf::util::JsonStringToMessage;
  if (argc != 4 || !JsonStringToMessage(argv[2], &read).ok() || !JsonStringToMessage(argv[3], &mesh).ok()) return 2;
  auto channel = grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials());
  grpc::ClientContext one, two;
  for (auto* context : {&one, &two}) context->set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
  SaveCutout(VolumeService::NewStub(channel)->ReadCutout(&one, read).get());
  SaveMesh(MeshService::NewStub(channel)->GetMeshes(&two, mesh).get());
}
