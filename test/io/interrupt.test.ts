import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { listenForInterrupts, type SignalSource } from "../../src/io/interrupt.js";

function fakeProcess() {
  const emitter = new EventEmitter();
  const killed: string[] = [];
  const source: SignalSource = {
    pid: 42,
    on: (signal, listener) => emitter.on(signal, listener),
    off: (signal, listener) => emitter.off(signal, listener),
    kill: (pid, signal) => killed.push(`${pid} ${signal} ${emitter.listenerCount(signal)}`),
  };
  return { emitter, killed, source };
}

describe("listenForInterrupts", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ])("aborts on %s with the exit code %i", (name, code) => {
    const { emitter, killed, source } = fakeProcess();
    const { signal } = listenForInterrupts(source);
    expect(signal.aborted).toBe(false);
    emitter.emit(name);
    expect([signal.aborted, signal.reason, killed]).toEqual([true, code, []]);
  });

  it.each([
    ["SIGINT", "SIGINT"],
    ["SIGINT", "SIGTERM"],
    ["SIGTERM", "SIGHUP"],
  ])("lets %s stop the run and %s end the process, with nobody listening any more", (first, second) => {
    const { emitter, killed, source } = fakeProcess();
    const { signal } = listenForInterrupts(source);
    emitter.emit(first);
    const { reason } = signal;
    emitter.emit(second);
    expect(killed).toEqual([`42 ${second} 0`]);
    expect(signal.reason).toBe(reason);
  });

  it("survives a file-size limit", () => {
    const { emitter, source } = fakeProcess();
    listenForInterrupts(source);
    expect(emitter.listenerCount("SIGXFSZ")).toBe(1);
  });

  it("leaves no listener behind", () => {
    const { emitter, source } = fakeProcess();
    const interrupt = listenForInterrupts(source);
    expect(emitter.eventNames()).not.toEqual([]);
    interrupt.dispose();
    expect(emitter.eventNames()).toEqual([]);
  });
});
