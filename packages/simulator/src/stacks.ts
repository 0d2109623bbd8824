// SPDX-License-Identifier: MIT
import type { Frame } from './violation.js';

/** Frames of the engine, of the primitives themselves, and of the test runner: no kernel code. */
const ENGINE_FILE = /\/(simulator\/(src|dist)|node_modules|node:internal)\/|^node:|<anonymous>|\/cpu\/(src|dist)\/op\./;

const FRAME = /^\s*at (?:(?:async )?(?:Object\.|Generator\.)?(.+?) \()?(.*?):(\d+):\d+\)?$/;

/** The kernel functions of a JavaScript stack, innermost first. */
export function kernelFrames(stack: string): Frame[] {
  const frames: Frame[] = [];
  for (const line of stack.split('\n').slice(1)) {
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
