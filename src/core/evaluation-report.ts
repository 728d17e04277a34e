import type { CalibrationFit, Threshold } from "./calibration.js";
import type { CascadePoint } from "./cascade-curve.js";
import type { History } from "./conversation.js";
import type { Evaluation, ScoredTurn, Share } from "./evaluation.js";
import type { Turn } from "./labels.js";
import type { Interval } from "./significance.js";

/** Where a turn was read. */
interface Place {
  readonly source: string;
  /** Where its record begins in the source, from 1. */
  readonly line: number;
  /** Which of the record's labelled turns, from 1. */
  readonly turn: number;
  /** The record's id, as JSON text. */
  readonly id?: string | undefined;
}

/** A labelled turn with its decision, as reports show it. */
export interface ReportedTurn extends ScoredTurn, Turn, Place {}

/** Milliseconds that decisions took, model and process to process included, loading not. */
export interface Latency {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** Two runs on the same turns, told apart by McNemar's exact test. */
export interface Contrast extends Share {
  readonly interval: Interval;
  /** Turns that only the run of the report, or only this one got right. */
  readonly lost: number;
  readonly won: number;
  /** Probability of so uneven a split by chance, 0 to 1. */
  readonly pValue: number;
}

/** The same with another part of each conversation. */
export interface HistoryContrast extends Contrast {
  readonly history: History;
}

/** The same with another route set or model. */
export interface Comparison extends Contrast {
  /** What `--compare` named. */
  readonly reference: string;
  /** Accuracy of the report's own run on the turns compared, 0 to 1. */
  readonly own: number;
  /** Turns left out: their label is no route of the other set. */
  readonly leftOut: number;
}

/** The report's model with the small one in front of it, on the turns that both could score. */
export interface CascadeSweep {
  /** Name of the small model. */
  readonly model: string;
  /** Either model alone. */
  readonly small: Share;
  readonly large: Share;
  readonly points: readonly CascadePoint[];
  /** The point to take, against the large model alone. */
  readonly recommended: CascadePoint & Contrast;
}

/** All that `eval` found out, for the renderers. */
export interface EvaluationReport {
  readonly model: string;
  /** Where the routes came from, for people. */
  readonly routes: string;
  /** Records scored, and records that could not be. */
  readonly records: number;
  readonly failed: number;
  readonly evaluation: Evaluation;
  readonly calibration: CalibrationFit;
  readonly latency: Latency;
  /** What `--target-precision` asked for; `found` is undefined if no threshold reaches it. */
  readonly threshold?: { readonly target: number; readonly found: Threshold | undefined };
  readonly histories?: readonly HistoryContrast[];
  readonly comparison?: Comparison;
  readonly cascade?: CascadeSweep;
  readonly misses: readonly ReportedTurn[];
}
