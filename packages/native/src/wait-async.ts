// SPDX-License-Identifier: MIT

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
  timeout: number,
) => { readonly async: boolean; readonly value: unknown };

/** Milliseconds between two looks where nobody tells. Browsers make 4 of it. */
const LOOK = 1;

/**
 * Resolves when somebody notifies the word, at once if it has another value, or after so many milliseconds: Atomics.waitAsync, which costs nothing meanwhile. Where
 * there is none (Firefox before 145) the word is looked at again and again; then a word must have changed when it is notified.
 */
export async function waitOnWord(words: Int32Array, index: number, value: number, milliseconds: number): Promise<void> {
  const { waitAsync } = Atomics as unknown as { readonly waitAsync?: WaitAsync };
  if (waitAsync !== undefined) {
    await waitAsync(words, index, value, milliseconds).value;
    return;
  }
  for (const end = Date.now() + milliseconds; Atomics.load(words, index) === value && Date.now() < end; )
    await new Promise((resolve) => setTimeout(resolve, LOOK));
}
