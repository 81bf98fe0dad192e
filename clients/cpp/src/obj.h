// Meshes as Wavefront OBJ, as the Python SDK's `mesh.save("body.obj")` writes them but for comments.
#pragma once

#include <string>

#include "voxgate.h"

namespace voxgate {

// A number as C's %.9g prints it, whatever the locale: nine digits bring every float32 back exactly.
std::string NineDigits(double number);

// The file's text: x y z in nanometres, normals where the mesh has them, an object and group named by the segment's id.
std::string ObjText(const Mesh& mesh);

}  // namespace voxgate
