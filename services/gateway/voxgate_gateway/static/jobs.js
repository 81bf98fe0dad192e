// Keeps the list of jobs as it is on the server, and asks for what the buttons say. All words come from there.
const root = new URL(document.body.dataset.root, location.href);
const list = document.getElementById("jobs");
const away = document.getElementById("away");
const said = document.getElementById("said");
const sure = document.getElementById("sure");
const part = (card, name) => card.querySelector(`[data-is=${name}]`);

function say(text) {
  away.textContent = text;
  away.hidden = !text;
}

function cardOf(job) {
  const known = list.querySelector(`[data-job="${CSS.escape(job.id)}"]`);
  if (known || !("live" in list.dataset)) return known;
  const card = document.getElementById("new").content.firstElementChild.cloneNode(true);
  const record = new URL(`api/v1/jobs/${job.id}`, root).href;
  card.dataset.job = job.id;
  part(card, "record").href = record;
  part(card, "failures").href = `${record}/failures`;
  card.querySelector("code").textContent = `jobs/${job.id}`;
  document.getElementById("none")?.remove();
  list.prepend(card);
  return card;
}

function show(job) {
  const card = cardOf(job);
  if (!card) return;
  const state = part(card, "state");
  if (state.textContent && state.textContent !== job.state) said.textContent = `${job.title}: ${job.state}`;
  state.textContent = job.state;
  state.className = `kind ${job.state}`;
  part(card, "title").textContent = job.title;
  part(card, "text").textContent = job.text;
  part(card, "error").textContent = job.error;
  part(card, "error").hidden = !job.error;
  part(card, "failures").hidden = !job.failures;
  const bar = card.querySelector("progress");
  bar.setAttribute("aria-label", job.title);
  if (job.done === null) bar.removeAttribute("value");
  else bar.value = job.done;
  for (const button of card.querySelectorAll("button")) {
    const [act, had] = [button.dataset.act, button === document.activeElement];
    button.hidden = !job.actions.includes(act);
    button.disabled = false;
    button.setAttribute("aria-label", `${act === "cancel" ? "Cancel" : "Resume"} ${job.title}`);
    // Whoever pressed it by keyboard goes on from here.
    if (had && button.hidden) part(card, "record").focus();
  }
}

async function ask(card, act) {
  const button = card.querySelector(`[data-act=${act}]`);
  button.disabled = true;
  try {
    const answer = await fetch(new URL(`api/v1/jobs/${card.dataset.job}/${act}`, root), { method: "POST" });
    if (answer.ok) return;
    const problem = await answer.json().catch(() => ({}));
    throw new Error([problem.detail ?? `the server answered ${answer.status}`, problem.remedy].filter(Boolean).join("; "));
  } catch (error) {
    button.disabled = false;
    part(card, "error").textContent = `${act === "cancel" ? "Not cancelled" : "Not resumed"}: ${error.message}`;
    part(card, "error").hidden = false;
  }
}

let asked;
list.addEventListener("click", ({ target }) => {
  const card = target.closest("[data-job]");
  if (target.dataset.act === "resume") ask(card, "resume");
  if (target.dataset.act !== "cancel") return;
  asked = card;
  document.getElementById("which").textContent = part(card, "title").textContent;
  sure.showModal();
});
document.getElementById("no").addEventListener("click", () => sure.close());
document.getElementById("yes").addEventListener("click", () => {
  sure.close();
  ask(asked, "cancel");
});

function follow() {
  const events = new EventSource(new URL("jobs/events", root));
  events.addEventListener("job", ({ data }) => {
    say("");
    show(JSON.parse(data));
  });
  events.addEventListener("trouble", ({ data }) => {
    const { detail, remedy } = JSON.parse(data);
    say(`News may be late: ${detail}; ${remedy}`);
  });
  events.addEventListener("open", () => say(""));
  events.addEventListener("error", () => {
    say("News may be late: the gateway does not answer; this page goes on as soon as it does");
    // A browser tries again by itself, unless it was refused.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
  });
}
follow();
