// Lists the largest segments of a volume, saves the mesh of a whole body, or a cutout.
#include <getopt.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "obj.h"
#include "voxgate.h"

namespace {

using namespace voxgate;

constexpr char kUsage[] =
    R"(voxgate_client ADDRESS VOLUME                    lists the largest segments
voxgate_client ADDRESS VOLUME SEGMENT_ID         saves the mesh of a whole body as OBJ
voxgate_client ADDRESS VOLUME --cutout=X0:X1,Y0:Y1,Z0:Z1   saves voxels (raw; x fastest, then y, z, channel)
  -o, --output FILE    where to save (body.obj or cutout.raw)
  --deadline-s S       of each call, seconds (120)
  --scale KEY          the scale by its key (the finest)
  --scale-index N      the scale by its number
  --normals            save a normal for each vertex too
  --top N              how many segments to list (10)
  --tls                talk TLS and trust the system's authorities
VOXGATE_TOKEN is sent as "authorization: Bearer TOKEN".
)";

[[noreturn]] void Misused(const std::string& why) {
  std::cerr << why << "\n" << kUsage;
  std::exit(2);
}

struct Wish {
  Settings settings;
  std::string volume, output, scale_key;
  std::optional<uint64_t> segment_id;
  std::optional<uint32_t> scale_index;
  std::optional<v1::Box> cutout;
  bool normals = false;
  uint32_t top = 10;
};

template <typename Number>
Number Parsed(std::string_view text, const std::string& name) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) Misused(name + " cannot be " + std::string(text));
  return number;
}

v1::Box ParsedBox(std::string_view text) {
  int64_t bounds[6];
  for (int i = 0; i < 6; ++i) {
    const size_t length = i == 5 ? text.size() : text.find(i % 2 ? ',' : ':');
    if (length == text.npos) Misused("a cutout is X0:X1,Y0:Y1,Z0:Z1");
    bounds[i] = Parsed<int64_t>(text.substr(0, length), "a bound");
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  v1::Box box;
  box.mutable_start()->set_x(bounds[0]), box.mutable_stop()->set_x(bounds[1]);
  box.mutable_start()->set_y(bounds[2]), box.mutable_stop()->set_y(bounds[3]);
  box.mutable_start()->set_z(bounds[4]), box.mutable_stop()->set_z(bounds[5]);
  return box;
}

Wish ParsedWish(int argc, char** argv) {
  const option options[] = {
      {"output", required_argument, nullptr, 'o'}, {"deadline-s", required_argument, nullptr, 'd'},
      {"scale", required_argument, nullptr, 's'},  {"scale-index", required_argument, nullptr, 'i'},
      {"cutout", required_argument, nullptr, 'c'}, {"top", required_argument, nullptr, 't'},
      {"normals", no_argument, nullptr, 'n'},      {"tls", no_argument, nullptr, 'T'},
      {"help", no_argument, nullptr, 'h'},         {nullptr, 0, nullptr, 0}};
  Wish wish;
  for (int chosen; (chosen = getopt_long(argc, argv, "o:h", options, nullptr)) != -1;) {
    switch (chosen) {
      case 'o': wish.output = optarg; break;
      case 'd': wish.settings.deadline_s = Parsed<double>(optarg, "--deadline-s"); break;
      case 's': wish.scale_key = optarg; break;
      case 'i': wish.scale_index = Parsed<uint32_t>(optarg, "--scale-index"); break;
      case 'c': wish.cutout = ParsedBox(optarg); break;
      case 't': wish.top = Parsed<uint32_t>(optarg, "--top"); break;
      case 'n': wish.normals = true; break;
      case 'T': wish.settings.tls = true; break;
      case 'h': std::cout << kUsage; std::exit(0);
      default: Misused("");
    }
  }
  const int given = argc - optind;
  if (given < 2 || given > 3 || (given == 3 && wish.cutout)) Misused("ADDRESS and VOLUME, then what to do");
  if (!(wish.settings.deadline_s > 0 && wish.settings.deadline_s < 1e6)) Misused("--deadline-s is above 0");
  wish.settings.address = argv[optind];
  wish.volume = argv[optind + 1];
  if (given == 3) wish.segment_id = Parsed<uint64_t>(argv[optind + 2], "SEGMENT_ID");
  if (const char* token = std::getenv("VOXGATE_TOKEN")) wish.settings.token = token;
  return wish;
}

template <typename Message>
Message Asking(const Wish& wish) {
  Message message;
  message.set_volume(wish.volume);
  if (wish.scale_index) message.set_scale_index(*wish.scale_index);
  if (!wish.scale_key.empty()) message.set_scale_key(wish.scale_key);
  return message;
}

void Save(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes << std::flush;
  if (!file) throw std::runtime_error("cannot write " + path);
  std::cout << "saved " << path << "\n";
}

void List(Connection& server, const Wish& wish) {
  auto request = Asking<v1::ListSegmentsRequest>(wish);
  request.set_order(v1::SEGMENT_ORDER_LARGEST_FIRST);
  request.set_page_size(wish.top);
  const v1::ListSegmentsResponse answer = server.ListSegments(request);
  std::cout << answer.segments_size() << " of " << answer.total_count() << " segments: id, voxels\n";
  for (const v1::SegmentCount& one : answer.segments())
    std::cout << one.segment_id() << " " << one.voxel_count() << "\n";
}

std::string Place(const v1::PointNm& place) {
  return NineDigits(place.x()) + " " + NineDigits(place.y()) + " " + NineDigits(place.z());
}

void PrintFacts(const v1::MeshEnd& end) {
  std::cout << "segment " << end.segment_id() << "\nvertices " << end.vertex_count() << "\nfaces " << end.face_count()
            << "\norigin " << (end.origin() == v1::MESH_ORIGIN_STORED ? "stored" : "computed") << "\nscale "
            << end.scale_index() << "\n";
  if (!end.has_statistics()) return;
  const v1::MeshStatistics& known = end.statistics();
  if (known.has_voxel_count()) std::cout << "voxel_count " << known.voxel_count() << "\n";
  if (known.has_volume_nm3()) std::cout << "volume_nm3 " << NineDigits(known.volume_nm3()) << "\n";
  std::cout << "surface_nm2 " << NineDigits(known.surface_nm2()) << "\nmin_nm " << Place(known.min_nm()) << "\nmax_nm "
            << Place(known.max_nm()) << "\nwatertight " << (known.watertight() ? "true" : "false") << "\nerror_nm "
            << NineDigits(known.error_nm()) << "\n";
}

void SaveMesh(Connection& server, const Wish& wish) {
  auto spec = Asking<v1::MeshSpec>(wish);
  spec.add_segment_ids(*wish.segment_id);
  spec.set_normals(wish.normals);
  const Mesh mesh = server.GetMesh(spec);
  PrintFacts(mesh.end);
  Save(wish.output.empty() ? "body.obj" : wish.output, ObjText(mesh));
}

void SaveCutout(Connection& server, const Wish& wish) {
  auto request = Asking<v1::ReadCutoutRequest>(wish);
  *request.mutable_box() = *wish.cutout;
  const Cutout cutout = server.ReadCutout(request);
  std::cout << v1::DataType_Name(cutout.header.data_type()) << " "
            << cutout.voxels.size() / cutout.header.fill_value().size() << " voxels\n";
  Save(wish.output.empty() ? "cutout.raw" : wish.output, cutout.voxels);
}

// What to do about an error: by its reason where voxgate gave one, else by its code.
void Explain(const Error& error) {
  std::cerr << "error " << error.code << (error.reason.empty() ? "" : " ") << error.reason << ": " << error.what()
            << "\n";
  if (!error.remedy.empty()) std::cerr << "remedy: " << error.remedy << "\n";
  if (error.reason == "SEGMENT_NOT_FOUND") std::cerr << "leave SEGMENT_ID out to list the largest segments\n";
  if (error.retry_after_s)
    std::cerr << "try again in " << NineDigits(*error.retry_after_s) << " s\n";
  else if (error.code == grpc::StatusCode::UNAVAILABLE)
    std::cerr << "try again, and look whether a server listens there\n";
}

}  // namespace

int main(int argc, char** argv) {
  const Wish wish = ParsedWish(argc, argv);
  try {
    Connection server(wish.settings);
    if (wish.cutout) {
      SaveCutout(server, wish);
    } else if (wish.segment_id) {
      SaveMesh(server, wish);
    } else {
      List(server, wish);
    }
    return 0;
  } catch (const Error& error) {
    Explain(error);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
  }
  return 1;
}
