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
