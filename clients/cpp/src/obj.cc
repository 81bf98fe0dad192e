#include "obj.h"

#include <charconv>
#include <cmath>

namespace voxgate {
namespace {

void AppendNineDigits(double number, std::string& text) {
  if (std::isnan(number)) {  // has a sign in C, none in Python
    text += "nan";
    return;
  }
  char digits[32];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, number, std::chars_format::general, 9).ptr);
}

void AppendFloats(const char* keyword, const std::vector<float>& table, std::string& text) {
  for (size_t i = 0; i < table.size(); ++i) {
    text += i % 3 ? " " : keyword;
    AppendNineDigits(table[i], text);
    if (i % 3 == 2) text += '\n';
  }
}

}  // namespace

std::string NineDigits(double number) {
  std::string text;
  AppendNineDigits(number, text);
  return text;
}

std::string ObjText(const Mesh& mesh) {
  std::string text = "# voxgate; x y z in nanometres\n";
  const std::string name = std::to_string(mesh.end.segment_id());
  text += "o " + name + "\ng " + name + "\n";  // readers split on the one or the other
  AppendFloats("v ", mesh.vertices, text);
  AppendFloats("vn ", mesh.normals, text);
  for (size_t i = 0; i < mesh.faces.size(); ++i) {
    const std::string number = std::to_string(uint64_t{mesh.faces[i]} + 1);  // the format counts from 1
    text += i % 3 ? " " : "f ";
    text += mesh.normals.empty() ? number : number + "//" + number;  // a vertex, or a vertex and its normal
    if (i % 3 == 2) text += '\n';
  }
  return text;
}

}  // namespace voxgate
