// SPDX-License-Identifier: MIT

/**
 * What the author declares the test to show: `Result: Never` in a comment, as the kernel's scripts read it (judgelitmus.sh: on a line that begins
 * with ` * ` or `(* `; the first one counts). `DATARACE` may follow the verdict.
 */
export function declaredResult(text: string): string | null {
  const found = /^[( ]\* Result: +(\w+)(.*)$/m.exec(text);
  if (found === null) return null;
  return / DATARACE\b/.test(` ${found[2]}`) ? `${found[1]} DATARACE` : found[1];
}
