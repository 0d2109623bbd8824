// SPDX-License-Identifier: MIT
import { engine } from './op.js';
import type { Ref } from './word.js';

/** `Atomics.wait`, with a limit after which the engine looks whether the holder of the lock is still there, and may throw. */
export const sleepOnWord = (word: Ref<number>, value: number): void => engine.sleepOnLock(word, value);

/** `Atomics.notify`. */
export const wakeWord = (word: Ref<number>, all: boolean): void => engine.notifyLock(word, all);
