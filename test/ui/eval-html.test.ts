import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { formatEvaluationHtml } from "../../src/ui/eval-html.js";
import { browser, openPage } from "../helpers/browser.js";
import { evaluationReport } from "../helpers/evaluation-report.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const hostile = `"'><script>document.title="owned"</script><img src=x onerror="document.title='owned'">&lt;`;

describe("the page", () => {
  const page = formatEvaluationHtml(evaluationReport(hostile));

  it("escapes what it shows", () => {
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toContain("<img");
  });

  it("has the curve of the cascade and the margin to take", () => {
    expect(page).toContain('<td class="n">0.125</td><td class="n">20.0 %</td><td class="n">60.0 %</td>');
    expect(page).toContain("<code>cascade_margin: 0.125</code> sends 20.0 % up; right 60.0 %");
  });

  it("needs nothing from elsewhere, and forbids it", () => {
    expect(page).not.toMatch(/https?:/);
    expect(page).toMatch(/Content-Security-Policy" content="default-src 'none'; style-src 'sha256-/);
  });
});

describe.skipIf(browser === undefined)("in Chromium (skipped without: apt-get install -y chromium)", () => {
  const path = join(temporaryFolder(), "report.html");
  writeFileSync(path, formatEvaluationHtml(evaluationReport(hostile)));
  const url = pathToFileURL(path).href;

  it("opens without a network and without a word on the console", () => {
    const { dom, said } = openPage(url);
    expect(said).toEqual([]);
    expect(dom).toContain("<title>Accuracy 40.0 %");
    expect(dom).toContain('<span id="count">3 of 3</span>');
  });

  it.each([
    ["#decision=unsure", "1 of 3"],
    ["#label=b&decision=other", "1 of 3"],
    ["#text=THIRD", "1 of 3"],
    [`#${new URLSearchParams({ label: `a${hostile}` })}`, "1 of 3"],
    ["#label=nonsense", "3 of 3"],
  ])("filters the misses by %.30s", (hash, count) => {
    const { dom, said } = openPage(url + hash);
    expect(said).toEqual([]);
    expect(dom).toContain(`<span id="count">${count}</span>`);
    expect(dom.match(/<tr data-label[^>]* hidden/g) ?? []).toHaveLength(3 - Number(count[0]));
  });
});
