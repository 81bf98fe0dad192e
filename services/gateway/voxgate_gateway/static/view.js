// Opens neuroglancer with the scene of this page: its sources are relative until the browser says where we are.
const scene = JSON.parse(document.getElementById("scene").textContent);
const root = new URL(document.body.dataset.root, location.href);
for (const layer of scene.layers) layer.source = "precomputed://" + new URL(layer.source, root).href;
const state = encodeURIComponent(JSON.stringify(scene));
location.replace(new URL("viewer/v/1/", root).href + "#!" + state);
