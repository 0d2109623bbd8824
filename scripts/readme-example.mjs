// SPDX-License-Identifier: MIT
// @ts-check

/**
 * The example of a package's README: its first `ts` code block, a complete program, and the first `text` block after it, what the program prints.
 * @param {string} markdown @returns {{ program: string, output: string } | string} the reason, when there is none
 */
export function readmeExample(markdown) {
  const program = /^```ts\n([\s\S]*?)^```$/m.exec(markdown);
  if (!program) return 'no ```ts block with an example program';
  const rest = markdown.slice(program.index + program[0].length);
  const output = /^```text\n([\s\S]*?)^```$/m.exec(rest);
  if (!output) return 'no ```text block after the example, with what it prints';
  return { program: program[1] ?? '', output: output[1] ?? '' };
}
