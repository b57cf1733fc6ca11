"use strict";
{
  const all = (q, of = document) => [...of.querySelectorAll(q)];
  const by = (id) => document.getElementById(id);
  const form = by("filter");
  const rows = all("tr[data-verdict]").map((tr) => ({
    tr, verdict: tr.dataset.verdict, level: tr.dataset.level,
    section: tr.closest("section").dataset.section, text: tr.textContent.toLowerCase(),
  }));

  const filter = () => {
    const f = new FormData(form);
    const verdicts = f.getAll("verdict"), section = f.get("section"), level = f.get("level");
    const words = f.get("text").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const r of rows) {
      const ok = (!verdicts.length || verdicts.includes(r.verdict)) && (!section || section === r.section) &&
        (!level || level === r.level) && words.every((w) => r.text.includes(w));
      r.tr.hidden = !ok;
      shown += ok;
    }
    for (const s of all("section.rows")) s.hidden = !s.querySelector("tr[data-verdict]:not([hidden])");
    by("nothing").hidden = shown > 0;
    const of = [...verdicts, section && "ra2." + section, level, words.join(" ")].filter(Boolean).join(", ");
    by("shown").textContent = shown + " of " + rows.length + " rows" + (of ? " (only: " + of + ")" : "");
  };
  const unfold = (open) => {
    for (const r of rows) r.tr.querySelector("details").open = open;
    by("unfold").setAttribute("aria-pressed", open);
    by("unfold").textContent = open ? "Fold" : "Unfold";
  };
  // A link to a row shows it, whatever the filter says.
  const follow = () => {
    const r = rows.find((r) => "#" + r.tr.id === decodeURIComponent(location.hash));
    if (!r) return;
    if (r.tr.hidden) form.reset(), filter();
    r.tr.querySelector("details").open = true;
    r.tr.scrollIntoView({ block: "start" });
  };
  const copy = async (button) => {
    const cmd = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(cmd.textContent);
      button.textContent = "copied";
    } catch { // not allowed here: it is marked, so that the keys for copying take it
      getSelection().selectAllChildren(cmd);
      button.textContent = "marked";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  };

  for (const cmd of all(".cmd")) {
    const b = document.createElement("button");
    b.type = "button";
    b.className = "copy";
    b.textContent = "copy";
    b.setAttribute("aria-label", "copy " + cmd.textContent);
    cmd.after(b);
  }
  document.addEventListener("click", (e) => { if (e.target.className === "copy") copy(e.target); });
  form.addEventListener("input", filter);
  form.addEventListener("submit", (e) => e.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  by("unfold").addEventListener("click", () => unfold(by("unfold").getAttribute("aria-pressed") !== "true"));
  addEventListener("hashchange", follow);
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    for (const d of folded) d.open = true;
  });
  addEventListener("afterprint", () => { for (const d of folded) d.open = false; });
  form.hidden = false;
  filter();
  follow();
}
