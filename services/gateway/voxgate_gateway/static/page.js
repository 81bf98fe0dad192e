// Addresses to copy: the browser knows the address of this page better than any header does.
const { root, base } = document.body.dataset;
const here = new URL(root, location.href).href.replace(/\/$/, "");
if (here !== base) {
  for (const code of document.querySelectorAll("code")) code.textContent = code.textContent.replaceAll(base, here);
}
// Copies the text beside a button; a browser that refuses the clipboard gets the text selected instead.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    const said = document.getElementById("said");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      said.textContent = "Copied to the clipboard";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Press Ctrl+C";
      said.textContent = "Selected; press Ctrl+C to copy";
    }
    setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
  });
}
