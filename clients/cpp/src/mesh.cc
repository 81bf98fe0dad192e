// Joins the stream of GetMeshes to one mesh: parts are appended, the end says whether they are all.
#include <cstring>
#include <string_view>

#include "voxgate.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are copied as they come, and they come little-endian");

namespace voxgate {
namespace {

constexpr size_t kRowBytes = 12;  // of a vertex, a normal (three float32) and a face (three uint32)

// Moves `count` rows from the front of `data` to the end of `table`.
template <typename T>
void TakeRows(std::string_view& data, size_t count, std::vector<T>& table) {
  const size_t before = table.size();
  table.resize(before + 3 * count);
  if (count) std::memcpy(&table[before], data.data(), count * kRowBytes);
  data.remove_prefix(count * kRowBytes);
}

void Append(const v1::MeshPart& part, Mesh& mesh) {
  const uint64_t vertices = part.vertex_count(), faces = part.face_count(), first_index = mesh.faces.size();
  if (uint64_t{part.first_vertex()} * 3 != mesh.vertices.size()) throw Incomplete("a part of the mesh is missing");
  if (part.data().size() != (vertices * (part.has_normals() ? 2 : 1) + faces) * kRowBytes)
    throw Incomplete("a part of the mesh has " + std::to_string(part.data().size()) + " bytes");
  std::string_view data = part.data();
  TakeRows(data, vertices, mesh.vertices);
  if (part.has_normals()) TakeRows(data, vertices, mesh.normals);
  TakeRows(data, faces, mesh.faces);
  for (size_t index = first_index; index < mesh.faces.size(); ++index)
    if (uint64_t{mesh.faces[index]} * 3 >= mesh.vertices.size())
      throw Incomplete("a face points to a vertex that was not sent");
}

void CheckWhole(const Mesh& mesh) {
  const v1::MeshEnd& end = mesh.end;
  if (end.has_error()) throw Error(end.error().code(), end.error().reason(), end.error().message());
  if (end.vertex_count() * 3 != mesh.vertices.size() || end.face_count() * 3 != mesh.faces.size())
    throw Incomplete("the mesh came with " + std::to_string(mesh.vertices.size() / 3) + " vertices and " +
                     std::to_string(mesh.faces.size() / 3) + " faces instead of " +
                     std::to_string(end.vertex_count()) + " and " + std::to_string(end.face_count()));
  if (!mesh.normals.empty() && mesh.normals.size() != mesh.vertices.size())
    throw Incomplete("the mesh came with normals for some vertices only");
}

}  // namespace

Mesh Connection::GetMesh(const v1::MeshSpec& spec) {
  if (spec.segment_ids_size() != 1) throw std::invalid_argument("a mesh is of exactly one segment");
  const uint64_t segment_id = spec.segment_ids(0);
  Mesh mesh;
  bool ended = false;
  const auto expect = [&](uint64_t id) {
    if (id != segment_id || ended)
      throw Incomplete("segment " + std::to_string(id) + " was not asked for, or came after its end");
  };
  v1::GetMeshesRequest request;
  *request.mutable_spec() = spec;
  const auto call = Call();
  const auto stream = meshes_->GetMeshes(call.get(), request);
  Drain(*call, *stream, [&](const v1::GetMeshesResponse& message) {
    if (message.has_provenance()) mesh.provenance = message.provenance();
    for (const v1::MeshPart& part : message.parts()) {
      expect(part.segment_id());
      Append(part, mesh);
    }
    for (const v1::MeshEnd& end : message.ends()) {
      expect(end.segment_id());
      mesh.end = end;
      ended = true;
    }
  });
  if (!ended) throw Incomplete("the stream ended before the mesh");
  CheckWhole(mesh);
  return mesh;
}

}  // namespace voxgate
