import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { createChalk } from "../../src/ui/colour.js";
import { formatEvaluation } from "../../src/ui/eval-report.js";
import { evaluationReport } from "../helpers/evaluation-report.js";

const plain = createChalk(false);
const ESC = String.fromCharCode(27);

describe("formatEvaluation", () => {
  it("tells people all there is", () => {
    expect(formatEvaluation(evaluationReport(), plain, 80)).toMatchInlineSnapshot(`
      "accuracy  40.0 %  ████████░░░░░░░░░░░░  2 of 5, 95 % interval 11.8 % to 76.9 %
      macro F1 0.533
      other    0 labelled so, 0 of them routed; 1 of a route refused
      unsure   1, the best guess of 1 right; the rest: 50.0 % right
      model fake · routes from routes.yaml · 1.5 ms a turn (p90 3.0, p99 4.0) · 1 records not scored

      route  precis  recall      f1                        labelled
      a       1.000   0.500   0.667  █████████████░░░░░░░  2
      b       0.500   0.333   0.400  ████████░░░░░░░░░░░░  3
      other   0.000       –   0.000  ░░░░░░░░░░░░░░░░░░░░  0

      rows: label, columns: decision
                 1   2   3   4
       1 a       1   1   ·   ·
       2 b       ·   1   1   1
       3 other   ·   ·   ·   ·
      4 unsure

      most often confused
          1  a → b
          1  b → other
          1  b → unsure

      calibration: expected error 0.456; temperature 1.42 would bring it to 0.462
      0.3-0.4  said  40.0 %  was 100.0 %  ████████████████████  1
      0.6-0.7  said  70.0 %  was   0.0 %  ░░░░░░░░░░░░░░░░░░░░  1
      0.7-0.8  said  75.0 %  was   0.0 %  ░░░░░░░░░░░░░░░░░░░░  1
      0.8-0.9  said  85.0 %  was 100.0 %  ████████████████████  1
      0.9-1.0  said  92.0 %  was 100.0 %  ████████████████████  1

      min_confidence: 0.8 gives a precision of 100.0 % and routes 40.0 % of the turns

      against the settings in force (40.0 %)
      history last   60.0 %  1 won, 0 lost (McNemar p = 1.000: may be chance)

      compared with other.yaml on 5 turns; 2 left out, their labels are no routes there
      this   40.0 %  ████████░░░░░░░░░░░░
      that   60.0 %  1 won, 0 lost (McNemar p = 1.000: may be chance)

      cascade: small decides from a margin on, fake gets the rest
      margin  sent up    right
      0         0.0 %   20.0 %  ████░░░░░░░░░░░░░░░░
      0.125    20.0 %   60.0 %  ████████████░░░░░░░░
      1       100.0 %   40.0 %  ████████░░░░░░░░░░░░
      alone: small 20.0 %, fake 40.0 %, of 5 turns

      cascade_margin: 0.125 sends 20.0 % up: 60.0 % right, 95 % interval 20.0 % to 90.0 %
      against fake alone: 1 won, 0 lost (McNemar p = 1.000: may be chance)
      it was chosen on these turns: score it on others, with --cascade, before you count on it

      wrong: 3
      rows.jsonl:3  a but b 0.75, a 0.20
        third 
      rows.jsonl:3  b but other 0.70, b 0.20
        fourth
      rows.jsonl:3  b but unsure: b 0.40, other 0.30
        fifth
      "
    `);
  });

  it("colours a terminal, and only that", () => {
    expect(formatEvaluation(evaluationReport(), createChalk(true), 80)).toContain(`${ESC}[32m`);
    expect(formatEvaluation(evaluationReport(), plain, 80)).not.toContain(ESC);
  });

  it("obeys no text that it shows", () => {
    expect(formatEvaluation(evaluationReport(`${ESC}[2J\u202e`), plain, 80)).not.toMatch(new RegExp(`${ESC}|\u202e`));
  });

  it("leaves the matrix out where it does not fit", () => {
    const report = evaluationReport("x".repeat(100));
    for (const line of formatEvaluation(report, plain, 60).split("\n")) {
      if (line.startsWith("  ")) expect(stringWidth(line)).toBeLessThanOrEqual(60);
    }
  });
});
