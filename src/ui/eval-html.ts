import { createHash } from "node:crypto";
import type { RouteFigures } from "../core/evaluation.js";
import { UNSURE } from "../core/evaluation.js";
import type { Contrast, EvaluationReport, ReportedTurn } from "../core/evaluation-report.js";
import { printable } from "../core/printable.js";
import { confusionMatrix, reliabilityDiagram } from "./eval-charts.js";
import { escapeHtml, percent } from "./html.js";

const MOST_MISSES = 2000;

const style = `
:root{color-scheme:light dark;--line:#8884;--good:#1a7f37;--bad:#cf222e;--shade:9,105,218}
body{font:15px/1.45 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse}th,td{padding:.25rem .6rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.big{font-size:2rem;font-weight:600}.dim{opacity:.7}
.scroll{overflow-x:auto}.matrix td{text-align:right;border:1px solid var(--line)}.matrix a{color:inherit;display:block}
.matrix thead th{writing-mode:vertical-rl;transform:rotate(180deg);vertical-align:bottom}.matrix svg{display:block;margin-left:auto}.right{outline:2px solid var(--good)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2rem 0}select,input,button{font:inherit;margin:0 .5rem .5rem 0}
svg text{fill:currentColor;font-size:11px}[hidden]{display:none}
`;

// The filters live in the address, so that a cell of the matrix is a link and a view can be sent to somebody.
const script = `
const form=document.getElementById("filter"),rows=[...document.querySelectorAll("#misses tbody tr")],
count=document.getElementById("count"),keys=["label","decision","text"];
function apply(){
  const f=Object.fromEntries(keys.map(k=>[k,form.elements[k].value]));let shown=0;
  for(const r of rows){
    const ok=(!f.label||r.dataset.label===f.label)&&(!f.decision||r.dataset.decision===f.decision)
      &&r.textContent.toLowerCase().includes(f.text.toLowerCase());
    r.hidden=!ok;if(ok)shown++;
  }
  count.textContent=shown+" of "+rows.length;
}
function read(){
  const p=new URLSearchParams(location.hash.slice(1));
  for(const k of keys)form.elements[k].value=p.get(k)||"";
  apply();
}
form.addEventListener("input",()=>{
  const p=new URLSearchParams();for(const k of keys)if(form.elements[k].value)p.set(k,form.elements[k].value);
  history.replaceState(null,"","#"+p);apply();
});
form.addEventListener("submit",e=>e.preventDefault());
addEventListener("hashchange",read);read();
`;

/**
 * A report as one page that needs nothing else: no network (its own policy forbids it), no library. It works without its
 * script too, which only filters the misses.
 */
export function formatEvaluationHtml(report: EvaluationReport): string {
  const sha256 = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const policy = `default-src 'none'; style-src ${sha256(style)}; script-src ${sha256(script)}; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<title>Accuracy ${percent(report.evaluation.turns.accuracy)} – arch-route eval</title>
<style>${style}</style></head><body>
${summary(report)}
<h2>Routes</h2>${routeTable(report.evaluation.routes)}
<h2>Labels (rows) and decisions (columns)</h2><div class="scroll">${confusionMatrix(report.evaluation.confusion)}</div>
<h2>Calibration</h2>${calibration(report)}
${contrasts(report)}
${cascade(report)}
<h2>Misses</h2>${missTable(report)}
<script>${script}</script></body></html>
`;
}

function summary({ evaluation, model, routes, records, failed, latency }: EvaluationReport): string {
  const { turns, spans, conversations, interval, macroF1, other, unsure, answered } = evaluation;
  const facts: (readonly [string, string])[] = [
    ["Turns right", `${turns.right} of ${turns.count}`],
    ["95 % interval", `${percent(interval.low)} to ${percent(interval.high)}`],
    ["Spans right", `${percent(spans.accuracy)} (${spans.right} of ${spans.count})`],
    ["Conversations right", `${percent(conversations.accuracy)} (${conversations.right} of ${conversations.count})`],
    ["Macro F1", macroF1.toFixed(3)],
    ["Other", `${other.labelled} labelled so, ${other.routed} of them routed; ${other.refused} of a route refused`],
    [
      "Unsure",
      `${unsure.count}, the best guess of ${unsure.bestGuessRight} right; the rest: ${percent(answered.accuracy)} right`,
    ],
    ["Latency", `${latency.p50.toFixed(1)} ms (p90 ${latency.p90.toFixed(1)}, p99 ${latency.p99.toFixed(1)})`],
    ["Records", `${records} scored${failed > 0 ? `, ${failed} not` : ""}`],
    ["Model", model],
    ["Routes from", routes],
  ];
  const rows = facts.map(([key, value]) => `<tr><th>${key}</th><td>${escapeHtml(printable(value))}</td></tr>`);
  return `<h1>Routes on labelled conversations</h1><p class="big">${percent(turns.accuracy)}</p><table>${rows.join("")}</table>`;
}

function routeTable(routes: readonly RouteFigures[]): string {
  const number = (value: number | undefined) => `<td class="n">${value === undefined ? "–" : value.toFixed(3)}</td>`;
  const rows = routes.map(
    ({ route, support, predicted, precision, recall, f1 }) =>
      `<tr><td>${escapeHtml(printable(route))}</td>${number(precision)}${number(recall)}${number(f1)}<td class="n">${support}</td><td class="n">${predicted}</td></tr>`,
  );
  const heads = ["precision", "recall", "F1", "labelled", "decided"].map((head) => `<th class="n">${head}</th>`);
  return `<table><thead><tr><th>route</th>${heads.join("")}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function calibration({ calibration: fit, threshold }: EvaluationReport): string {
  const { ece, temperature, bins } = fit;
  const found = threshold?.found;
  const sentence =
    threshold === undefined
      ? ""
      : found === undefined
        ? `<p>No min_confidence reaches a precision of ${percent(threshold.target)} on these turns.</p>`
        : `<p>min_confidence: ${found.minConfidence} gives a precision of ${percent(found.precision)} and routes ${percent(found.coverage)} of the turns.</p>`;
  return `<p>Expected calibration error ${ece.toFixed(3)}; a temperature of ${temperature.value.toFixed(2)} would bring it to ${temperature.ece.toFixed(3)}.</p>${sentence}${reliabilityDiagram(bins)}`;
}

function contrasts({ histories = [], comparison }: EvaluationReport): string {
  const row = (what: string, { accuracy, won, lost, pValue }: Contrast) =>
    `<tr><td>${escapeHtml(printable(what))}</td><td class="n">${percent(accuracy)}</td><td class="n">${won}</td><td class="n">${lost}</td><td class="n">${pValue.toFixed(3)}</td></tr>`;
  const rows = [
    ...histories.map((contrast) => row(`history ${contrast.history}`, contrast)),
    ...(comparison ? [row(comparison.reference, comparison)] : []),
  ];
  if (rows.length === 0) return "";
  const heads = ["accuracy", "turns won", "turns lost", "McNemar p"].map((head) => `<th class="n">${head}</th>`);
  return `<h2>Comparisons</h2><table><thead><tr><th></th>${heads.join("")}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function cascade({ cascade: sweep, model }: EvaluationReport): string {
  if (sweep === undefined) return "";
  const { points, small, large, recommended } = sweep;
  const rows = points.map(
    ({ margin, sentUp, accuracy }) =>
      `<tr><td class="n">${margin}</td><td class="n">${percent(sentUp)}</td><td class="n">${percent(accuracy)}</td></tr>`,
  );
  const heads = ["margin", "sent up", "right"].map((head) => `<th class="n">${head}</th>`);
  const [first, second] = [escapeHtml(printable(sweep.model)), escapeHtml(printable(model))];
  const { interval, won, lost, pValue } = recommended;
  return `<h2>Cascade</h2><p>${first} decides from a margin on, ${second} gets the rest. Alone: ${percent(small.accuracy)} and ${percent(large.accuracy)} of ${large.count} turns.</p>
<p><code>cascade_margin: ${recommended.margin}</code> sends ${percent(recommended.sentUp)} up; right ${percent(recommended.accuracy)}, 95 % interval ${percent(interval.low)} to ${percent(interval.high)}; against ${second} alone ${won} turns won, ${lost} lost (McNemar p = ${pValue.toFixed(3)}). It was chosen on these turns: score it on others.</p>
<table><thead><tr>${heads.join("")}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function missTable({ misses, evaluation }: EvaluationReport): string {
  const { labels, predictions } = evaluation.confusion;
  const options = (names: readonly string[]) =>
    names.map((name) => `<option>${escapeHtml(printable(name))}</option>`).join("");
  const more = misses.length - MOST_MISSES;
  return `<form id="filter"><select name="label" aria-label="label"><option value="">any label</option>${options(labels)}</select>
<select name="decision" aria-label="decision"><option value="">any decision</option>${options(predictions)}</select>
<input name="text" type="search" placeholder="text" aria-label="text"> <span id="count"></span></form>
<table id="misses"><thead><tr><th>place</th><th>label</th><th>decision</th><th>best two</th><th>conversation</th></tr></thead>
<tbody>${misses.slice(0, MOST_MISSES).map(missRow).join("\n")}</tbody></table>${more > 0 ? `<p>And ${more} more: --json has them all.</p>` : ""}`;
}

function missRow({ source, line, turn, label, decision, conversation }: ReportedTurn): string {
  const text = (value: string) => escapeHtml(printable(value));
  const decided = decision.outcome === "unsure" ? UNSURE : decision.route;
  const best = decision.ranking.slice(0, 2).map(({ route, probability }) => `${text(route)} ${probability.toFixed(2)}`);
  const last = conversation.at(-1);
  const before = conversation.slice(0, -1).map(({ role, content }) => `<pre><b>${role}</b> ${text(content)}</pre>`);
  const earlier =
    before.length === 0 ? "" : `<details><summary>${before.length} before</summary>${before.join("")}</details>`;
  return `<tr data-label="${text(label)}" data-decision="${text(decided)}"><td>${text(source)}:${line}${turn > 1 ? ` turn ${turn}` : ""}</td><td>${text(label)}</td><td>${text(decided)}</td><td>${best.join("<br>")}</td><td>${earlier}<pre>${text(last?.content ?? "")}</pre></td></tr>`;
}
