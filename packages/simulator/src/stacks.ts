// SPDX-License-Identifier: MIT
import type { Frame } from './violation.js';

/** Frames of the engine, and of what is below it: no kernel code. */
const ENGINE_FILE = /\/simulator\/(src|dist)\/|^node:|<anonymous>|\/cpu\/(src|dist)\/(op|heap|bug)\./;
/** Where the engine calls kernel code: what is further out is the engine's own affair. */
const ENTRY = /^\s*at Executor\.(resume|probe) /;

const FRAME = /^\s*at (?:(?:async )?(?:Object\.|Generator\.)?(.+?) \()?(.*?):(\d+):\d+\)?$/;

/** The kernel functions of a JavaScript stack, innermost first. */
export function kernelFrames(stack: string): Frame[] {
  const frames: Frame[] = [];
  for (const line of stack.split('\n').slice(1)) {
    if (ENTRY.test(line)) break;
    const match = FRAME.exec(line);
    if (match === null || ENGINE_FILE.test(match[2])) continue;
    const file = match[2].split('/').at(-1) ?? match[2];
    frames.push({ name: (match[1] ?? '(anonymous)').replace(/ \[as .*\]$/, ''), location: `${file}:${match[3]}` });
  }
  return frames;
}

/** Runs `body` with stacks deep enough for kernel code. */
export function withDeepStacks<T>(body: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  try {
    return body();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
