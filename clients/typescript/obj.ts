// Meshes as Wavefront OBJ, as the Python SDK's `mesh.save("body.obj")` writes them but for comments.
import type { Mesh } from "./voxgate.js";

// A number as C's %.9g prints it: nine digits bring every float32 back exactly. JavaScript's toPrecision(9) is close,
// but it rounds ties up where C rounds them to even, changes to exponents elsewhere, and writes those without padding.
export function nineDigits(x: number): string {
  if (Number.isInteger(x) && Math.abs(x) < 1e9) return Object.is(x, -0) ? "-0" : String(x);
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x < 0 ? "-inf" : "inf";
  const [mantissa, power] = rounded(x).split("e");
  const exponent = Number(power);
  const sign = mantissa.startsWith("-") ? "-" : "";
  const digits = mantissa.slice(sign.length).replace(".", "").replace(/0+$/, "");
  if (exponent < -4 || exponent >= 9) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    const padded = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${padded}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const fraction = digits.slice(exponent + 1);
  return sign + whole + (fraction && `.${fraction}`);
}

// Nine digits in exponent form, ties to even.
function rounded(x: number): string {
  const ten = x.toExponential(9);
  // Sixty digits tell a tie from its neighbours: a float32 cannot be nearer to one than 1e-39 of itself.
  const isTie = /5e/.test(ten) && Number(ten) === x && /^-?\d\.\d{8}50{50}e/.test(x.toExponential(59));
  if (!isTie) return x.toExponential(8);
  const cut = ten.replace(/5e/, "e"); // towards zero
  return Number(cut.at(cut.indexOf("e") - 1)) % 2 ? x.toExponential(8) : cut; // which is away from zero
}

// The file's text in blocks: x y z in nanometres, normals where the mesh has them, an object and group named by the
// segment's id.
export function* objText(mesh: Mesh): Generator<string> {
  yield "# voxgate; x y z in nanometres\n";
  yield `o ${mesh.end.segmentId}\ng ${mesh.end.segmentId}\n`; // readers split on the one or the other
  yield* rows("v", mesh.vertices, nineDigits);
  yield* rows("vn", mesh.normals, nineDigits);
  // The format counts from 1; a corner is a vertex, or a vertex and its normal.
  const corner = (index: number) => (mesh.normals.length ? `${index + 1}//${index + 1}` : String(index + 1));
  yield* rows("f", mesh.faces, corner);
}

function* rows(keyword: string, table: ArrayLike<number>, text: (value: number) => string): Generator<string> {
  const atATime = 3 << 14; // few writes, small strings
  for (let start = 0; start < table.length; start += atATime) {
    const stop = Math.min(start + atATime, table.length);
    let block = "";
    for (let i = start; i < stop; i += 3)
      block += `${keyword} ${text(table[i])} ${text(table[i + 1])} ${text(table[i + 2])}\n`;
    yield block;
  }
}
