// SPDX-License-Identifier: MIT
// @ts-check
// What is wrong after a death, and that something is not over in time.

const STUCK_MS = 20_000;

/** What is wrong. */
export class Problem extends Error {}

/** @template T @param {Promise<T>} promise @param {string} what @returns {Promise<T>} */
export async function inTime(promise, what) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Problem(`${what}: not done after ${STUCK_MS / 1000} s`)), STUCK_MS);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}

/** What is wrong, in words. @param {unknown} error */
export const wrong = (error) =>
  error instanceof Problem ? error.message : error instanceof Error ? `${error.stack}` : String(error);
