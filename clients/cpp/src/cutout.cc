// Puts the chunks of ReadCutout where they belong, and checks that they cover the box.
#include <cstring>

#include "voxgate.h"

namespace voxgate {
namespace {

// The place of a voxel in the bytes of a box, in voxels.
int64_t At(const v1::Box& box, int64_t x, int64_t y, int64_t z) {
  const int64_t nx = box.stop().x() - box.start().x(), ny = box.stop().y() - box.start().y();
  return ((z - box.start().z()) * ny + y - box.start().y()) * nx + x - box.start().x();
}

// The voxels of a box; one that is empty or turned around has none.
int64_t Count(const v1::Box& box) {
  const auto &start = box.start(), &stop = box.stop();
  if (stop.x() <= start.x() || stop.y() <= start.y() || stop.z() <= start.z()) return 0;
  return At(box, start.x(), start.y(), stop.z());
}

bool Holds(const v1::Box& outer, const v1::Box& inner) {
  const auto &start = outer.start(), &stop = outer.stop(), &from = inner.start(), &to = inner.stop();
  return start.x() <= from.x() && start.y() <= from.y() && start.z() <= from.z() && to.x() <= stop.x() &&
         to.y() <= stop.y() && to.z() <= stop.z() && Count(inner) > 0;
}

// A cutout that grows, and which of its voxels have been answered.
struct Growing {
  Cutout cutout;
  std::string covered;

  void Begin(const v1::CutoutHeader& header) {
    cutout.header = header;
    if (header.fill_value().empty() || !header.channel_count())
      throw Incomplete("the header does not say what voxels are");
    covered.resize(Count(header.box()) * header.channel_count());
    cutout.voxels.reserve(covered.size() * header.fill_value().size());
    for (size_t i = 0; i < covered.size(); ++i) cutout.voxels += header.fill_value();
  }

  void Add(const v1::Chunk& chunk) {
    const v1::CutoutHeader& header = cutout.header;
    const v1::Box &box = chunk.box(), &data = chunk.has_data_box() ? chunk.data_box() : box;
    const int64_t size = header.fill_value().size();  // of one element
    if (!Holds(header.box(), box) || !Holds(data, box) || chunk.encoding_index() >= uint32_t(header.encodings_size()))
      throw Incomplete("a chunk is not of this answer");
    // Without accept_encodings in the request there are these two.
    const bool raw = header.encodings(chunk.encoding_index()).array() == v1::ARRAY_CODEC_RAW;  // else FILL
    if (raw && chunk.data().size() != size_t(Count(data) * header.channel_count() * size))
      throw Incomplete("a chunk has " + std::to_string(chunk.data().size()) + " bytes");
    const int64_t x = box.start().x(), row = box.stop().x() - x;
    for (int64_t c = 0; c < header.channel_count(); ++c)
      for (int64_t z = box.start().z(); z < box.stop().z(); ++z)
        for (int64_t y = box.start().y(); y < box.stop().y(); ++y) {
          const int64_t to = c * Count(header.box()) + At(header.box(), x, y, z);
          const int64_t from = c * Count(data) + At(data, x, y, z);
          if (raw) std::memcpy(&cutout.voxels[to * size], &chunk.data()[from * size], row * size);
          std::memset(&covered[to], 1, row);
        }
  }
};

}  // namespace

Cutout Connection::ReadCutout(const v1::ReadCutoutRequest& request) {
  Growing growing;
  bool ended = false;
  const auto call = Call();
  const auto stream = volumes_->ReadCutout(call.get(), request);
  Drain(*call, *stream, [&](const v1::ReadCutoutResponse& message) {
    if (message.has_header()) growing.Begin(message.header());
    for (const v1::Chunk& chunk : message.chunks()) growing.Add(chunk);
    ended |= message.has_summary();
  });
  // Coverage decides, not the status.
  if (!ended || growing.covered.empty() || growing.covered.find('\0') != std::string::npos)
    throw Incomplete("the answer does not cover the box");
  return std::move(growing.cutout);
}

}  // namespace voxgate
