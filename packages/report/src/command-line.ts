// SPDX-License-Identifier: MIT

/** A command as one would type it. */
export const shellWords = (command: readonly string[]): string => command.map(quote).join(' ');

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Control characters, which could drive a terminal, and marks that turn the direction of writing, which could disguise a path. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Text of foreign origin (paths, commands, task names), made harmless for a terminal: `\x1b` instead of an escape. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}
